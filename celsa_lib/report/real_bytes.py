"""Accuracy against the bytes that an item takes in a file: a table, a figure, and checks.

A curve is a method in one form at all of its sizes. Curves have their sizes at different bytes, so
one is compared with another where that lies at its bytes: between two of its sizes, user by user.
"""

import json
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from celsa_lib.evaluation import METRICS, difference_by_user, standard_error
from celsa_lib.models.registry import METHODS, RECOMMENDED, by_label
from celsa_lib.report.base import Parts, Report
from celsa_lib.report.figures import bytes_axis, drawn
from celsa_lib.report.statistics import METRIC, difference_cells
from celsa_lib.report.style import colour, mark, new_figure
from celsa_lib.report.tables import Html
from celsa_lib.report.verdicts import Check, compared, missing
from celsa_lib.results import PLAIN, Result

PACKED = "4 bits"  # the form in which methods are compared
CODED = "Low-dim ELSA, regularised"  # drawn in the other codes of dense rows besides
NOT_DRAWN = "Low-dim ELSA"  # the same rows, regularised, are the stronger baseline
# Forms that are drawn, by line, and which words of the legend stand for them.
LINES = {
    PACKED: ("-", ""),
    "PQ, 2 values in 4 bits": ("--", ", PQ"),
    "RaBitQ": ("-.", ", RaBitQ"),
    "binary": (":", ", binary"),
}
KEY = ["label", "form"]


class Point(NamedTuple):
    """A method in a form at one size: its bytes per item, nDCG@100 by user, the rows of its seeds.

    Both are means over the seeds.
    """

    size: float
    users: np.ndarray
    rows: list[dict]

    def mean(self, metric: str) -> float:
        """A metric's mean over users and seeds."""
        return float(np.mean([row["mean"][metric] for row in self.rows]))


def curve(result: Result, label: str, form: str = PACKED) -> list[Point]:
    """A method's sizes in a form, the smallest first. Raises StorageError without users' values."""
    groups: dict[str, list[dict]] = {}
    for row in result.select(label=label, form=form):
        groups.setdefault(json.dumps(row["params"], sort_keys=True), []).append(row)
    points = [
        Point(float(np.mean([row["bytes_per_item"] for row in rows])), result.by_user(rows), rows)
        for rows in groups.values()
    ]
    return sorted(points, key=lambda point: point.size)


def users_at(points: list[Point], size: float) -> np.ndarray | None:
    """nDCG@100 by user at `size` bytes, linear in their logarithm; None outside of the curve."""
    sizes = [point.size for point in points]
    if not points or not sizes[0] <= size <= sizes[-1]:
        return None
    above = int(np.searchsorted(sizes, size))
    if sizes[above] == size:
        return points[above].users
    low, high = points[above - 1], points[above]
    part = np.log(size / low.size) / np.log(high.size / low.size)
    return (1 - part) * low.users + part * high.users


def at_equal_bytes(result: Result, label: str) -> list[Check]:
    """The recommended setting packed at 4 bits − `label` packed likewise, at each size of ours.

    A model of a single size is compared with all of them, whole where it is not packed.
    """
    single = not by_label(label).compressed
    theirs = curve(result, label) or (curve(result, label, PLAIN) if single else [])
    checks = []
    for ours in curve(result, RECOMMENDED):
        what = f"{ours.size:,.0f} B"
        others = theirs[0].users if single and theirs else users_at(theirs, ours.size)
        checks.append(
            missing(what)
            if others is None
            else compared(what, difference_by_user(ours.users, others))
        )
    return checks


def curves_table(result: Result) -> pd.DataFrame:
    """A line per method, form and size: bytes, metrics, the standard error of nDCG@100 by users."""
    forms: dict[str, dict] = {}
    for row in result.rows:
        forms.setdefault(row["label"], {})[row["form"]] = None
    return pd.DataFrame(
        {"label": method.label, "form": form, "bytes_per_item": point.size}
        | {name: point.mean(name) for name in METRICS}
        | {f"{METRIC} ±": standard_error(point.users)}
        for method in METHODS
        for form in forms.get(method.label, ())
        for point in curve(result, method.label, form)
    )


def real_bytes_table(lines: pd.DataFrame) -> pd.DataFrame:
    """The lines of `curves_table` as text."""
    return pd.DataFrame(
        {
            "method": line["label"],
            "stored as": line["form"],
            "bytes per item": f"{line['bytes_per_item']:,.1f}",
            "nDCG@100": f"{line[METRIC]:.4f} ± {line[f'{METRIC} ±']:.4f}",
            "Recall@20": f"{line['recall@20']:.4f}",
            "Recall@50": f"{line['recall@50']:.4f}",
        }
        for line in lines.to_dict("records")
    )


def packed_lines(lines: pd.DataFrame) -> pd.DataFrame:
    """Of the lines of `curves_table` those to draw: at 4 bits, and whole models as they are."""
    lines = drawn(lines[lines["label"] != NOT_DRAWN])
    packed = set(lines.loc[lines["form"] == PACKED, "label"])
    return lines[(lines["form"] == PACKED) | ~lines["label"].isin(packed)]


def real_bytes_figure(lines: pd.DataFrame, title: str = "") -> Figure:
    """nDCG@100 against bytes per item in a file (log), ± one standard error over users.

    As `packed_lines` has them, and CODED in other codes; a model that is not packed as a mark, and
    its height as a line.
    """
    coded = lines[(lines["label"] == CODED) & lines["form"].isin(LINES) & (lines["form"] != PACKED)]
    with new_figure(figsize=(6.4, 6)) as (figure, axes):
        for (label, form), group in pd.concat([packed_lines(lines), coded]).groupby(
            KEY, sort=False
        ):
            style, told = LINES.get(form, ("none", ""))
            axes.errorbar(
                group["bytes_per_item"], group[METRIC], yerr=group[f"{METRIC} ±"],
                label=label + told, color=colour(label), marker=mark(label), linestyle=style,
                markerfacecolor=None if form in (PACKED, PLAIN) else "white", capsize=2,
            )  # fmt: skip
            if form == PLAIN:
                axes.axhline(group[METRIC].item(), color=colour(label), linewidth=1, zorder=0)
        bytes_axis(axes)
        axes.set(xlabel="bytes per item in a file (log scale)", ylabel="nDCG@100", title=title)
        figure.legend(loc="outside lower center", ncols=2, fontsize=9.5)
    return figure


class BytesReport(Report):
    """A study of the bytes that an item takes in a file."""

    TABLES: ClassVar[Parts] = {"curves": curves_table}

    def table(self) -> Html:
        """All numbers, folded away."""
        caption = "nDCG@100, mean ± standard error over users"
        lines = self.captioned(real_bytes_table(self.frame()), caption)
        return Html(f"<details><summary>All numbers</summary>{lines}</details>")

    def figure(self) -> Figure:
        """nDCG@100 against bytes per item in a file."""
        return real_bytes_figure(self.frame(), self.title)

    def pairs(self) -> Html:
        """The recommended setting packed at 4 bits minus each other method at as many bytes."""
        others = [name for name in dict.fromkeys(self.frame()["label"]) if name != RECOMMENDED]
        lines = [
            {"bytes per item": check.what.removesuffix(" B"), "compared with": name}
            | difference_cells(check.difference)
            for name in others
            for check in at_equal_bytes(self.result, name)
            if check.difference
        ]
        return self.captioned(pd.DataFrame(lines))
