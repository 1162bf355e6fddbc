"""Compressed ELSA in variants: schedules, restarts, initial widths, and the latents they use."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from celsa_lib.errors import ConfigError
from celsa_lib.evaluation import difference_by_user
from celsa_lib.models.registry import DENSE, OURS, RECOMMENDED
from celsa_lib.report.figures import bytes_axis
from celsa_lib.report.paper import demo_table, name_in_paper
from celsa_lib.report.statistics import difference_cells
from celsa_lib.report.style import MARKS, legend_below, new_figure, variant_colour
from celsa_lib.report.supports import name_by_support, regrown_pairs
from celsa_lib.report.tables import Html
from celsa_lib.results import GRADUAL

if TYPE_CHECKING:
    from celsa_lib.report.base import Report

VARIED = ("schedule", "restart", "width", "part", "support")
# What the authors' demo varies, by what varies here.
DEMO_VARIES = {
    "schedule": ("schedule", "restart"), "restart": ("schedule", "restart"), "width": ("width",)
}  # fmt: skip
PARTS = {  # parameters that a part of the recommended setting is switched by
    "dropout": "input dropout",
    "length_exponent": "sampling by length",
    "cosine_decay": "cosine decay",
    "weight_averaging": "weight averaging",
    "scales": "scales",
    "non_negative": "values held at 0 or above",
}
MOVING = {"support": "a moving support"}  # a part that only the paper's procedure can have


class Variants:
    """The rows of Compressed ELSA in a study, by what varies in it.

    by: "schedule" (those that restart, and the constant one), "restart" (every schedule with and
    without), "width", "part" (of the recommended setting) or "support" (how the entries of rows
    are chosen). Raises ConfigError for another.
    """

    def __init__(self, report: Report, by: str):
        if by not in VARIED:
            raise ConfigError(f'variants are by one of {", ".join(VARIED)}, not by "{by}"')
        self.report, self.result, self.by = report, report.result, by
        chosen = self.result.select(method="CompressedELSA")
        if by not in ("part", "support"):
            chosen = [row for row in chosen if row["label"] == OURS]
        self.rows = [row for row in chosen if by != "schedule" or _restarts(row)]

    def name(self, row: dict) -> str:
        """What a row is called: its schedule and whether it restarts, its width, or its parts."""
        params = row["params"]
        if self.by == "part":
            return name_by_parts(params)
        if self.by == "support":
            return name_by_support(params)
        if self.by == "width":
            return f"width {params['width']:,}"
        schedule = params.get("schedule", "exponential")
        if self.by == "schedule" or schedule == "constant":
            return schedule
        return f"{schedule}, {'restart' if params.get('restart', True) else 'continue'}"

    def frame(self) -> pd.DataFrame:
        """A line per variant and size: variant, budget_bytes, nDCG@100, mean over seeds."""
        lines = pd.DataFrame(
            {
                "variant": self.name(row),
                "budget_bytes": row["budget_bytes"],
                "ndcg@100": row["mean"]["ndcg@100"],
            }
            for row in self.rows
        )
        groups = lines.groupby(["variant", "budget_bytes"], sort=False)
        return groups["ndcg@100"].mean().reset_index()

    def table(self) -> Html:
        """nDCG@100, a line per variant, a column per size."""
        caption, dense = "nDCG@100", self.result.select(label=DENSE)
        if dense:
            width, level = dense[0]["params"]["width"], _mean(dense)
            caption += f"; dense ELSA of width {width:,} has {level:.4f}"
        return self.report.captioned(sizes_across(self.frame()), caption)

    def figure(self) -> Figure:
        """nDCG@100 against bytes per item, a line per variant, with dense ELSA where there is.

        The paper's curves are dashed, where they are of these data or of what these are a part of.
        """
        dense = self.result.select(label=DENSE)
        level = _mean(dense) if dense else None
        theirs = self._in_demo() if self.by in DEMO_VARIES else None
        return variants_figure(self.frame(), self.report.title, level, theirs)

    def _in_demo(self) -> pd.DataFrame:
        """The lines of the authors' demo, as `frame` has them: what Figures 1a to c show."""
        whole = name_in_paper(self.result.manifest["data"]["name"])
        lines = demo_table(whole, DEMO_VARIES[self.by])
        rows = [{"params": line} for line in lines.to_dict("records")]
        lines = lines.assign(variant=[self.name(row) for row in rows])
        kept = [self.by != "schedule" or _restarts(row) for row in rows]
        return lines.loc[kept, ["variant", "budget_bytes", "ndcg@100"]]

    def differences(self) -> Html:
        """By user at each size: each gradual schedule minus the constant one, with restarts minus
        without, each width minus the next smaller one, each change of parts minus none, or each
        support with regrowth minus each without.
        """
        lines = [line for pair in self._pairs() for line in self._minus(*pair)]
        return self.report.captioned(pd.DataFrame(lines))

    def active(self) -> pd.DataFrame:
        """Latents that an item uses at the end, of how many, at the smallest size, first seed.

        Columns variant, bytes per item, latents, active, dead.
        """
        return pd.DataFrame(
            {
                "variant": self.name(row),
                "bytes per item": row["budget_bytes"],
                "latents": row["params"]["width"],
                "active": row["history"][-1][1],
                "dead": f"{1 - row['history'][-1][1] / row['params']['width']:.1%}",
            }
            for row in self._smallest()
        )

    def active_table(self) -> Html:
        """`active` as a table."""
        return self.report.captioned(self.active(), "one seed")

    def _smallest(self) -> list[dict]:
        size = min(row["budget_bytes"] for row in self.rows)
        rows = [row for row in self.rows if row["budget_bytes"] == size]
        return [row for row in rows if row["seed"] == rows[0]["seed"]]

    def _pairs(self) -> list[tuple[str, str]]:
        """Which variant is held against which."""
        names = list(dict.fromkeys(map(self.name, self.rows)))
        if self.by == "width":
            widths = sorted({row["params"]["width"] for row in self.rows})
            return [(f"width {wide:,}", f"width {narrow:,}") for narrow, wide in pairwise(widths)]
        if self.by == "schedule":
            return [(name, "constant") for name in GRADUAL if name in names]
        if self.by == "support":
            return regrown_pairs(names)
        if self.by == "part":
            wholes = (OURS, RECOMMENDED)
            return [(n, next(filter(n.startswith, wholes))) for n in names if n not in wholes]
        pairs = [(f"{name}, restart", f"{name}, continue") for name in GRADUAL]
        return [pair for pair in pairs if set(pair) <= set(names)]

    def _minus(self, ours: str, theirs: str) -> list[dict]:
        """One variant minus another, a line per size that both have."""
        sizes = self._sizes(ours) & self._sizes(theirs)
        lines = []
        for size in sorted(sizes, reverse=True):
            found = difference_by_user(self._users(ours, size), self._users(theirs, size))
            about = {"variant": ours, "minus": theirs, "bytes per item": size}
            lines.append(about | difference_cells(found))
        return lines

    def _sizes(self, name: str) -> set[int]:
        return {row["budget_bytes"] for row in self.rows if self.name(row) == name}

    def _users(self, name: str, size: int) -> np.ndarray:
        return self.result.by_user(
            [row for row in self.rows if self.name(row) == name and row["budget_bytes"] == size]
        )


def name_by_parts(params: dict) -> str:
    """The recommended setting "without …" or the paper's procedure "with …", by parameters."""
    if params.get("recipe", "paper") == "paper":
        added = [name for part, name in (PARTS | MOVING).items() if part in params]
        return " with ".join([OURS, *added])
    left_out = [name for part, name in PARTS.items() if part in params]
    budgets = {1: "a floor", params["nnz"]: "one budget"}
    left_out += [budgets[params["floor"]]] if "floor" in params else []
    if len(left_out) > len(PARTS):
        return f"{RECOMMENDED} with anchored rows alone"
    return " without ".join([RECOMMENDED, *left_out])


def sizes_across(lines: pd.DataFrame) -> pd.DataFrame:
    """Variants by size: nDCG@100 as text, "–" where a variant has no such size."""
    wide = lines.pivot(index="variant", columns="budget_bytes", values="ndcg@100")
    wide = wide.loc[list(dict.fromkeys(lines["variant"]))]
    wide = wide[sorted(wide.columns, reverse=True)].rename(columns="{:,} B".format)
    text = wide.map("{:.4f}".format, na_action="ignore").fillna("–")
    return text.reset_index().rename_axis(columns=None)


def variants_figure(
    lines: pd.DataFrame,
    title: str = "",
    level: float | None = None,
    paper: pd.DataFrame | None = None,
) -> Figure:
    """nDCG@100 against bytes per item, a line per variant; `level`: an uncompressed model's.

    `paper`: lines of the same columns, drawn dashed. Marks of what goes on are hollow.
    """
    paper = lines.iloc[:0] if paper is None else paper
    names = list(dict.fromkeys([*lines["variant"], *paper["variant"]]))
    with new_figure() as (figure, axes):
        for shown, dashed in ((lines, False), (paper, True)):
            for name, group in shown.groupby("variant", sort=False):
                group, i = group.sort_values("budget_bytes"), names.index(name)
                axes.plot(
                    group["budget_bytes"],
                    group["ndcg@100"],
                    label=_legend_label(name, dashed, names[: lines["variant"].nunique()]),
                    color=variant_colour(name, i),
                    marker=MARKS[i % len(MARKS)],
                    markersize=4 if dashed else None,
                    markerfacecolor="white" if name.endswith("continue") else None,
                    linestyle="--" if dashed else "-",
                    linewidth=1 if dashed else None,
                )
        if level is not None:
            axes.axhline(level, color="#555555", linestyle=":", label="dense ELSA")
        bytes_axis(axes)
        axes.set(ylabel="nDCG@100", title=title)
        legend_below(figure)
    return figure


def _legend_label(name: str, is_paper: bool, ours: list[str]) -> str:
    """A variant in the legend; the paper's line of one that we have too needs no entry."""
    if not is_paper:
        return name
    return "" if name in ours else f"{name} (paper)"


def _restarts(row: dict) -> bool:
    """Whether it restarts, or has nothing to restart from."""
    return row["params"].get("restart", True) or row["params"].get("schedule") == "constant"


def _mean(rows: list[dict]) -> float:
    return float(np.mean([row["mean"]["ndcg@100"] for row in rows]))
