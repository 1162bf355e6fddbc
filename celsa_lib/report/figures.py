"""Figures from results: accuracy against size, and training curves."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from celsa_lib.models.registry import FAMILIES, METHODS, RECOMMENDED
from celsa_lib.report.style import colour, legend_below, mark, new_figure, styled, variant_colour


def accuracy_by_size(
    rows: pd.DataFrame, title: str = "", paper: pd.DataFrame | None = None
) -> Figure:
    """nDCG@100 against bytes per item (log), ± one standard error; `paper` as hollow marks.

    Families are lines; methods of one size are single marks.
    """
    figure = _drawn(rows, title)
    with styled():
        if paper is not None and not paper.empty:
            _add_paper(figure.axes[0], paper)
        legend_below(figure)
    return figure


def schedule_curves(stages: dict[str, list]) -> Figure:
    """Nonzeros per item by epoch (log) for each schedule; stages have `nnz` and `epochs`."""
    with new_figure() as (figure, axes):
        for index, (name, steps) in enumerate(stages.items()):
            values = [step.nnz for step in steps for _ in range(step.epochs)]
            style = ["-", "--", "-.", ":"][index % 4]
            axes.step(range(1, len(values) + 1), values, style, where="post", label=name,
                      color=variant_colour(name, index))  # fmt: skip
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set(xlabel="epoch", ylabel="nonzeros per item (log scale)")
        axes.legend()
    return figure


def paper_beside_ours(paper: pd.DataFrame, ours: pd.DataFrame) -> Figure:
    """Two panels of one scale with the same methods: the paper's numbers, and ours ± one error.

    Those of the paper's table and the recommended setting, the ones that ours has.
    """
    shown = [method.label for method in METHODS if method.label in {*paper["label"], RECOMMENDED}]
    panels = {"the paper": paper, "here": ours[ours["label"].isin(shown)]}
    with new_figure(ncols=2, figsize=(9.6, 4.8), sharex=True, sharey=True) as (figure, axes):
        for place, (title, rows) in zip(axes, panels.items(), strict=True):
            _draw_families(place, rows)
            place.set_title(title)
        axes[0].set_ylabel("nDCG@100")
        named = dict(zip(*reversed(axes[1].get_legend_handles_labels()), strict=True))
        named = {label: named[label] for label in shown if label in named}
        figure.legend(named.values(), named, loc="outside lower center", ncols=4, fontsize=9.5)
    return figure


def _drawn(rows: pd.DataFrame, title: str) -> Figure:
    """Lines and marks of the methods that are drawn, named by nothing yet."""
    with new_figure() as (figure, axes):
        _draw_families(axes, drawn(rows))
        axes.set(ylabel="nDCG@100", title=title)
    return figure


def _draw_families(axes: Axes, rows: pd.DataFrame) -> None:
    """A line per family and a mark per model of one size, with errors where rows have them."""
    for label, group in rows.groupby("label", sort=False):
        group = group.sort_values("budget_bytes")
        axes.errorbar(
            group["budget_bytes"],
            group["ndcg@100"],
            yerr=group.get("ndcg@100 ±"),
            label=label,
            color=colour(label),
            marker=mark(label),
            linestyle="-" if label in FAMILIES else "none",
            capsize=2,
        )
    bytes_axis(axes)


def drawn(rows: pd.DataFrame) -> pd.DataFrame:
    """`rows` without those of methods that only tables have."""
    left_out = {method.label for method in METHODS if not method.drawn}
    return rows[~rows["label"].isin(left_out)]


def _add_paper(axes, paper: pd.DataFrame) -> None:
    for label, group in paper.groupby("label", sort=False):
        axes.plot(
            group["budget_bytes"],
            group["ndcg@100"],
            linestyle=":" if label in FAMILIES else "none",
            marker=mark(label),
            markerfacecolor="white",
            color=colour(label),
            label=f"{label} (paper)",
        )


def bytes_axis(axes) -> None:
    """Log axis with a tick at every power of two that is there (no decimal powers)."""
    axes.set_xlabel("embedding size (bytes per item, log scale)")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FuncFormatter(_bytes_tick))
    axes.xaxis.set_minor_locator(NullLocator())


def _bytes_tick(value: float, _) -> str:
    return f"{value:,.0f}" if value < 1024 else f"{value / 1024:,.0f} Ki"
