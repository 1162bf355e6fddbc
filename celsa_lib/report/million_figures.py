"""Figures of implementations among up to a million items, from the stored benchmark."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from celsa_lib.report.million import largest_million, measured_million, ready_after
from celsa_lib.report.style import MARKS, PALETTE, new_figure
from celsa_lib.results import Result

OURS_COLOUR, THEIR_COLOUR = "#D55E00", "#0072B2"


def million_latency(result: Result) -> Figure:
    """Median (whole lines) and 99th percentile (dotted) of one user by number of items."""
    rows = measured_million(result)
    with new_figure(figsize=(6.8, 5.6)) as (figure, axes):
        for name, group in rows.groupby("contender", sort=False):
            group, look = group.sort_values("items"), _look(rows, name)
            axes.plot(group["items"], 1e3 * group["p50"], label=name, **look)
            axes.plot(group["items"], 1e3 * group["p99"], ":", alpha=0.7, **look | {"marker": ""})
        axes.set(xscale="log", yscale="log", xlabel="items (log scale)",
                 ylabel="ms for one user (log scale)")  # fmt: skip
        _plain_ticks(axes.xaxis, axes.yaxis)
        figure.legend(loc="outside lower center", ncols=2, fontsize=9.5)
    return figure


def million_recall(result: Result) -> Figure:
    """Recall against the median of one user at the most items, a line where effort is a choice."""
    rows, items = largest_million(result)
    with new_figure(figsize=(6.8, 5.6)) as (figure, axes):
        for _, row in rows.iterrows():
            points = pd.DataFrame(row["points"]).sort_values("p50")
            look = _look(rows, row["contender"])
            axes.plot(1e3 * points["p50"], points["recall"], label=row["contender"], **look)
        axes.set(xscale="log", xlabel="median ms for one user (log scale)",
                 ylabel="recall@100 of its own exact lists", title=f"{items:,} items")  # fmt: skip
        _plain_ticks(axes.xaxis)
        figure.legend(loc="outside lower center", ncols=2, fontsize=9.5)
    return figure


def million_costs(result: Result) -> Figure:
    """Bars at the most items: memory of the process, and seconds until it can answer."""
    rows, items = largest_million(result)
    ready = [ready_after(result, row["contender"], items, row) for _, row in rows.iterrows()]
    with new_figure(nrows=2, figsize=(6.8, 7.6)) as (figure, panels):
        for axes, values, label in zip(
            panels, (rows["memory_mib"], ready), ("memory, MiB", "seconds until ready"), strict=True
        ):
            is_ours = rows["contender"].str.startswith("celsa")
            colours = is_ours.map({True: OURS_COLOUR, False: THEIR_COLOUR})
            bars = axes.barh(rows["contender"], values, color=colours)
            axes.bar_label(bars, [f"{v:,.0f}" if v >= 10 else f"{v:.1f}" for v in values],
                           padding=3, fontsize=9.5)  # fmt: skip
            axes.set(xlabel=f"{label}, {items:,} items")
            axes.margins(x=0.14)
            axes.invert_yaxis()
            axes.grid(axis="y", visible=False)
    return figure


def _look(rows: pd.DataFrame, name: str) -> dict:
    """Colour and mark of an implementation: ours stand out, the others by their place."""
    place = rows["contender"].unique().tolist().index(name)
    ours = name.startswith("celsa")
    chosen = OURS_COLOUR if ours else PALETTE[place % len(PALETTE)]
    mark = MARKS[(place + place // len(PALETTE)) % len(MARKS)]  # no pair comes twice
    return {"color": chosen, "marker": mark, "linewidth": 2.2 if ours else 1.4}


def _plain_ticks(*axes) -> None:
    for axis in axes:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.set_minor_formatter(NullFormatter())
