"""Compressed ELSA minus pruned EASE, by training data and by who was tested; the recommended
setting minus others, by who was tested.
"""

from typing import ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from celsa_lib.evaluation import difference_by_user
from celsa_lib.models.registry import OURS, RECOMMENDED, by_name
from celsa_lib.report.base import Parts, Report, absent
from celsa_lib.report.figures import bytes_axis
from celsa_lib.report.statistics import difference_cells
from celsa_lib.report.style import MARKS, PALETTE, new_figure
from celsa_lib.report.tables import Html, difference_cell
from celsa_lib.report.verdicts import Check, compared
from celsa_lib.results import Result

A_FIFTH = "20 % of each history"
# Stored words, kept for their digests.
IN_WORDS = {"users kept out": "held-out users", "test users, thinned": f"test users, {A_FIFTH}"}
WITHOUT_COMMA = {IN_WORDS["test users, thinned"]: A_FIFTH}  # a part of a check has no comma
EVENLY = "Recommended setting, users drawn evenly"
APART = 0.03  # of a mark's place, so that intervals of the same size do not hide each other
SERVED_COLUMNS = ("tested on", "bytes per item", "compared with", "ours", "theirs", "difference")
# Columns that both methods' rows share; a closed form has no steps.
SHARED = (
    "trained on", "users", "interactions", "steps", "tested on", "test users", "budget_bytes"
)  # fmt: skip


def compared_data_sizes(result: Result) -> pd.DataFrame:
    """Compressed ELSA beside pruned EASE for each training set, group of test users and size.

    difference: ours − theirs by user, with its interval; change: how much more or less that is than
    of the same users after learning from everything. Raises StorageError without users' values.
    """
    usual = {}
    lines = []
    for ours in filter(lambda row: called(row) == OURS, result.rows):
        place = {name: ours[name] for name in ("trained on", "tested on", "budget_bytes")}
        (theirs,) = (row for row in result.select(**place) if called(row) == "Pruned EASE")
        gaps = result.by_user([ours]) - result.by_user([theirs])
        before = usual.setdefault((ours["tested on"], ours["budget_bytes"]), gaps)
        lines.append(
            {name: ours[name] for name in SHARED}
            | {"ours": ours["ndcg@100"], "ours ±": ours["stderr"]}
            | {"theirs": theirs["ndcg@100"], "theirs ±": theirs["stderr"]}
            | _interval("difference", gaps, np.zeros_like(gaps))
            | _interval("change", gaps, before)
            | {"learning_rate": ours["params"]["learning_rate"], "reg": theirs["params"]["reg"]}
        )
    return pd.DataFrame(lines).replace({"tested on": IN_WORDS})


def _interval(name: str, values: np.ndarray, others: np.ndarray) -> dict[str, float]:
    found = difference_by_user(values, others)
    return {name: found.mean, f"{name} low": found.low, f"{name} high": found.high}


def called(row: dict) -> str:
    """The method of a row in tables; the recommended setting also with users drawn evenly."""
    name = by_name(row["method"], compressed=True, params=row["params"]).label
    return EVENLY if name == RECOMMENDED and "length_exponent" in row["params"] else name


def served(result: Result) -> pd.DataFrame:
    """The recommended setting − each other method that learned from the same, by who was tested.

    Columns tested on, bytes per item, compared with, ours, theirs, difference (a Difference, by
    user). What has one size is beside each size. Raises StorageError without users' values.
    """
    lines = []
    for ours in filter(lambda row: called(row) == RECOMMENDED, result.rows):
        size = ours["budget_bytes"]
        place = {name: ours[name] for name in ("trained on", "tested on")}
        for theirs in result.select(**place):
            same_size = theirs["budget_bytes"] == size or "nnz" not in theirs["params"]
            if same_size and called(theirs) != RECOMMENDED:
                found = difference_by_user(result.by_user([ours]), result.by_user([theirs]))
                lines.append(
                    {"tested on": ours["tested on"], "bytes per item": size}
                    | {"compared with": called(theirs), "ours": ours["ndcg@100"]}
                    | {"theirs": theirs["ndcg@100"], "difference": found}
                )
    return pd.DataFrame(lines, columns=SERVED_COLUMNS).replace({"tested on": IN_WORDS})


def served_against(result: Result, label: str) -> list[Check]:
    """The recommended setting − the method `label` by group of users and size."""
    lines = served(result)
    lines = lines[lines["compared with"] == label].replace({"tested on": WITHOUT_COMMA})
    return [
        compared(f"{line['tested on']}, {line['bytes per item']:,} B", line["difference"])
        for line in lines.to_dict("records")
    ]


def data_size_table(compared: pd.DataFrame) -> pd.DataFrame:
    """The lines of `compared_data_sizes` as text; intervals are 95 %."""
    everything = compared["trained on"].iloc[0]
    return pd.DataFrame(
        {
            "trained on": row["trained on"],
            "users": f"{row['users']:,}",
            "interactions": f"{row['interactions']:,}",
            "steps": f"{row['steps']:,}",
            "tested on": row["tested on"],
            "test users": f"{row['test users']:,}",
            "bytes per item": row["budget_bytes"],
            "Compressed ELSA": f"{row['ours']:.4f} ± {row['ours ±']:.4f}",
            "Pruned EASE": f"{row['theirs']:.4f} ± {row['theirs ±']:.4f}",
            "difference": _with_interval(row, "difference"),
            "change": "" if row["trained on"] == everything else _with_interval(row, "change"),
            "learning rate": f"{row['learning_rate']:g}",
            "reg": f"{row['reg']:g}",
        }
        for row in compared.to_dict("records")
    )


def _with_interval(row: dict, name: str) -> str:
    return difference_cell(row[name], row[f"{name} low"], row[f"{name} high"])


def data_size_figure(compared: pd.DataFrame, title: str = "") -> Figure:
    """Compressed ELSA minus pruned EASE by size: above by training set, below by users."""
    first_set, first_group = compared[["trained on", "tested on"]].iloc[0]
    with new_figure(nrows=2, figsize=(7, 8.4), sharey=True) as (figure, panels):
        on_group = compared[compared["tested on"] == first_group]
        of_set = compared[compared["trained on"] == first_set]
        _differences(panels[0], on_group, "trained on", f"tested on: {first_group}")
        _differences(panels[1], of_set, "tested on", f"trained on: {first_set}")
        figure.suptitle(title)
    return figure


def _differences(axes: Axes, compared: pd.DataFrame, by: str, title: str) -> None:
    """A line for each value of the column `by`, with 95 % intervals; zero marked."""
    axes.axhline(0, color="#555555", linewidth=1)
    lines = compared.groupby(by, sort=False)
    for i, (name, values) in enumerate(lines):
        shift = 1 + APART * (i - (len(lines) - 1) / 2)
        values = values.sort_values("budget_bytes")
        middle = values["difference"]
        axes.errorbar(
            values["budget_bytes"] * shift,
            middle,
            yerr=[middle - values["difference low"], values["difference high"] - middle],
            label=name,
            color=PALETTE[i % len(PALETTE)],
            marker=MARKS[i % len(MARKS)],
            capsize=2,
        )
    bytes_axis(axes)
    axes.set(ylabel="Compressed ELSA − pruned EASE", title=title)
    axes.legend(fontsize=9.5, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)


class DataSizeReport(Report):
    """A study of how much there is to learn from."""

    TABLES: ClassVar[Parts] = {"differences": compared_data_sizes}

    def table(self) -> Html:
        """All numbers, folded away."""
        caption = "nDCG@100, mean ± standard error over users"
        lines = self.captioned(data_size_table(self.frame()), caption)
        return Html(f"<details><summary>All numbers</summary>{lines}</details>")

    def figure(self) -> Figure:
        """Compressed ELSA minus pruned EASE by size: above by training set, below by users."""
        return data_size_figure(self.frame(), self.title)

    def served_table(self) -> Html:
        """The recommended setting minus others after learning from everything, by who was tested;
        a note where the result was stored without it.
        """
        lines = served(self.result)
        if lines.empty:
            return absent(self.result.path, "the recommended setting by who is tested")
        cells = [difference_cells(found) for found in lines.pop("difference")]
        numbers = lines[["ours", "theirs"]].map("{:.4f}".format)
        shown = lines.assign(**numbers).join(pd.DataFrame(cells))
        return self.captioned(shown, "nDCG@100 of the recommended setting beside others, by user")
