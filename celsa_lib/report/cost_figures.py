"""Figures of what training and recommending cost, from stored benchmarks."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from celsa_lib.report.cost import CELSA, FORMULA, gpu_sizes, section
from celsa_lib.report.style import new_figure
from celsa_lib.results import Result

COLOURS = {
    CELSA: "#D55E00",
    "celsa, sparse kernels": "#D55E00",
    "celsa, dense products": "#009E73",
    "celsa, dense products, bfloat16": "#E69F00",
    FORMULA: "#000000",
    "compresso, dense": "#0072B2",
    "compresso, coo": "#56B4E9",
    "compresso, mask search": "#CC79A7",
}
ON_GPU = {  # implementations in benchmarks/gpu_cost.py: colour and mark
    "celsa float32": ("#D55E00", "o"),
    "celsa TF32": ("#009E73", "s"),
    "celsa bfloat16": ("#E69F00", "D"),
    "torch float32": ("#000000", "*"),
    "torch TF32": ("#555555", "X"),
    "compresso-recsys, dense": ("#0072B2", "^"),
    "compresso-recsys, coo": ("#56B4E9", "v"),
}
GROWING = {  # a size of a step, and how a legend calls it
    "nnz": "nonzeros per item",
    "items": "items",
    "users": "users in a batch",
    "history": "items per user",
    "width": "width",
}
CONTENDER_MARKS = dict(zip(COLOURS, "oosD*^vP", strict=True))


def step_figure(result: Result) -> Figure:
    """Seconds per step against nonzeros per item, both log, every implementation."""
    steps = section(result, "step")
    return _lines(steps, "nnz", "nonzeros per item (log scale)")


def gpu_figure(result: Result) -> Figure:
    """Milliseconds per step on a GPU against nonzeros per item, both log, by implementation."""
    with new_figure() as (figure, axes):
        for name, group in section(result, "step").groupby("contender", sort=False):
            colour, mark = ON_GPU[name]
            axes.plot(group["nnz"], 1e3 * group["seconds"], label=name, color=colour, marker=mark)
        axes.set(xlabel="nonzeros per item (log scale)", ylabel="ms per step (log scale)")
        axes.set_title(gpu_sizes(result), fontsize=9)
        _logarithmic(axes)
        axes.legend(fontsize=9)
    return figure


def density_figure(result: Result) -> Figure:
    """Our two kinds of stage against density; the dashed line is where one gives way."""
    dense, threshold = section(result, "density"), section(result, "choice")["dense_above"].item()
    figure = _lines(dense.assign(density=dense["nnz"] / dense["width"]), "density",
                    "density of the rows, nnz / width (log scale)")  # fmt: skip
    axes = figure.axes[0]
    axes.axvline(threshold, color="#555555", linestyle="--")
    axes.annotate(f"dense_above = {threshold:g}", (threshold, axes.get_ylim()[1]), fontsize=9.5,
                  xytext=(-4, -2), textcoords="offset points", ha="right", va="top")  # fmt: skip
    return figure


def growth_figure(result: Result) -> Figure:
    """Step time as one size grows and the rest stay, each relative to its smallest."""
    with new_figure(figsize=(6.4, 4.6)) as (figure, axes):
        marks = "os^Dv"
        colours = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#000000"]
        for (size, title), mark, colour in zip(GROWING.items(), marks, colours, strict=True):
            group = section(result, f"growth {size}")
            group = group[group["nnz"] == group["nnz"].max()] if size == "width" else group
            first = group.iloc[0]
            axes.plot(
                group[size] / first[size],
                group["seconds"] / first["seconds"],
                marker=mark,
                color=colour,
                label=f"{title}, from {first[size]:,}",
            )
        top = axes.get_xlim()[1]
        axes.plot([1, top], [1, top], color="#999999", linestyle=":", label="in proportion")
        for scale in (axes.set_xscale, axes.set_yscale):
            scale("log", base=2)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
            axis.set_minor_locator(NullLocator())
        axes.set(xlabel="size, relative to the smallest", ylabel="time per step, relative")
        axes.legend(fontsize=9.5)
    return figure


def inference_figure(result: Result) -> Figure:
    """Milliseconds in which each way to recommend serves all users."""
    table = section(result, "inference").iloc[::-1]
    times = 1e3 * table["seconds"]
    with new_figure(figsize=(6.8, 3.2)) as (figure, axes):
        colours = [COLOURS[CELSA] if name == CELSA else "#0072B2" for name in table["contender"]]
        bars = axes.barh(table["contender"], times, color=colours)
        axes.bar_label(bars, [f"{value:,.0f}" for value in times], padding=3, fontsize=9.5)
        axes.set(xlabel="ms to recommend to all users")
        axes.margins(x=0.12)
        axes.locator_params(axis="x", nbins=5)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.grid(axis="y", visible=False)
    return figure


def _lines(table: pd.DataFrame, x: str, label: str) -> Figure:
    with new_figure() as (figure, axes):
        for name, group in table.groupby("contender", sort=False):
            group = group.sort_values(x)
            spread = [group["seconds"] - group["low"], group["high"] - group["seconds"]]
            axes.errorbar(group[x], group["seconds"], yerr=spread, label=name, capsize=2,
                          color=COLOURS[name], marker=CONTENDER_MARKS[name])  # fmt: skip
        axes.set(xlabel=label, ylabel="seconds per step (log scale)")
        _logarithmic(axes)
        axes.legend(fontsize=9.5)
    return figure


def _logarithmic(axes) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(_plain))
        axis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))


def _plain(value: float, _) -> str:
    """A tick as a reader would write it: 4,096 and 0.125."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"
