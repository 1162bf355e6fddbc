"""Tables and figures of what training and recommending cost, from stored benchmarks."""

from html import escape

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from celsa_lib.report.style import styled
from celsa_lib.report.tables import Html, runs_told
from celsa_lib.results import Result

OURS, FORMULA = "celsa", "masked dense torch"
COLOURS = {
    OURS: "#D55E00",
    "celsa, sparse kernels": "#D55E00",
    "celsa, dense products": "#009E73",
    "celsa, dense products, bfloat16": "#E69F00",
    FORMULA: "#000000",
    "compresso, dense": "#0072B2",
    "compresso, coo": "#56B4E9",
    "compresso, mask search": "#CC79A7",
}
ON_CARD = {  # contenders of benchmarks/gpu_cost.py: colour and mark
    "celsa float32": ("#D55E00", "o"),
    "celsa TF32": ("#009E73", "s"),
    "celsa bfloat16": ("#E69F00", "D"),
    "torch float32": ("#000000", "*"),
    "torch TF32": ("#555555", "X"),
    "compresso-recsys, dense": ("#0072B2", "^"),
    "compresso-recsys, coo": ("#56B4E9", "v"),
}
MARKS = dict(zip(COLOURS, "oosD*^vP", strict=True))


def measured_on(manifest: dict) -> Html:
    """One paragraph: machine, versions, date and commit of a stored benchmark."""
    text = f"Stored benchmark: {manifest['what']}; {manifest['seconds']} s. {runs_told(manifest)}"
    run = list(manifest["runs"].values())[-1]
    text += f" Versions: {', '.join(f'{name} {v}' for name, v in run['versions'].items())}."
    return Html(f'<p class="celsa-provenance"><small>{escape(text)}</small></p>')


def section(rows: list[dict], name: str) -> pd.DataFrame:
    """The rows of one section, one line each."""
    return pd.DataFrame([row for row in rows if row["section"] == name])


def step_ratios(rows: list[dict]) -> pd.DataFrame:
    """By nnz: milliseconds of our step, and how many times longer the others take."""
    lines = []
    for nnz, group in section(rows, "step").groupby("nnz"):
        seconds = group.set_index("contender")["seconds"]
        ours = seconds[OURS]
        theirs = seconds[seconds.index.str.startswith("compresso")]
        line = {"nnz": nnz, "celsa, ms": round(1e3 * ours, 1), FORMULA: seconds[FORMULA] / ours}
        if len(theirs):
            line |= {"compresso, best": theirs.min() / ours, "which": theirs.idxmin()}
        lines.append(line)
    return pd.DataFrame(lines)


def hardware_share(rows: list[dict]) -> pd.DataFrame:
    """By nnz: arithmetic per step over its time, as a share of the machine's own product.

    Of its product in bfloat16 for the dense stage where that has it, in float32 otherwise.
    """
    speeds = section(rows, "hardware").groupby("what")["rate"].max()
    steps = section(rows, "step")
    steps = steps[steps["contender"] == OURS]
    rate = steps["gflop"] / steps["seconds"]
    half = (steps["nnz"] == steps["width"]) & (rate > speeds["product float32"])
    kind = half.map({True: "product bfloat16", False: "product float32"})
    return pd.DataFrame({
        "nnz": steps["nnz"],
        "GFLOP per step": steps["gflop"].round(1),
        "GFLOP/s": rate.round(0).astype(int),
        "share": (rate / kind.map(speeds)).map("{:.0%}".format),
        "of the machine's": kind,
    })  # fmt: skip


def step_figure(rows: list[dict]) -> Figure:
    """Seconds per step against nonzeros per item, both log, every contender."""
    steps = section(rows, "step")
    return _lines(steps, "nnz", "nonzeros per item (log scale)")


def card_ratios(stored: Result) -> pd.DataFrame:
    """By nnz, on a card: milliseconds of our fastest step, and how often it fits into the others'.

    "of its reads": our time over that of a copy within the cache of what both passes read.
    """
    steps, lines = section(stored.rows, "step"), []
    cache = section(stored.rows, "limits").groupby("what")["rate"].max()["copy in L2"]
    scores = stored.manifest["items"] * stored.manifest["batch"]
    for nnz, group in steps.groupby("nnz"):
        seconds = group.set_index("contender")["seconds"]
        celsa = seconds[seconds.index.str.startswith("celsa")]
        others = seconds[seconds.index.str.startswith(("torch", "compresso"))]
        reads = 2 * 4 * nnz * scores / (1e9 * cache)  # seconds: two passes of float32
        line = {"nnz": nnz, "celsa, ms": round(1e3 * celsa.min(), 3), "as": celsa.idxmin()}
        line |= {name: round(value / celsa.min(), 1) for name, value in others.items()}
        sparse = {"of its reads": round(celsa.min() / reads, 1)} if len(celsa) == 1 else {}
        lines.append(line | sparse)
    return pd.DataFrame(lines)


def card_figure(rows: list[dict]) -> Figure:
    """Milliseconds per step on a card against nonzeros per item, both log, every contender."""
    with styled():
        figure, axes = plt.subplots(layout="constrained")
        for name, group in section(rows, "step").groupby("contender", sort=False):
            colour, mark = ON_CARD[name]
            axes.plot(group["nnz"], 1e3 * group["seconds"], label=name, color=colour, marker=mark)
        axes.set(xlabel="nonzeros per item (log scale)", ylabel="ms per step (log scale)")
        _logarithmic(axes)
        axes.legend(fontsize=9)
        plt.close(figure)
    return figure


def card_trainings(stored: Result) -> pd.DataFrame:
    """Whole trainings: data, setting, device, seconds, and nDCG@100 of validation users.

    "first": of the first call, in which kernels are compiled where they never were.
    """
    table = section(stored.rows, "training")
    cores = stored.manifest["runs"][stored.run]["machine"]["cores"]
    device = table["device"].map({"cuda": "GPU", "cpu": f"{cores} CPU cores"})
    score = table["ndcg@100"].map("{:.4f}".format) + " ± " + table["stderr"].map("{:.4f}".format)
    return pd.DataFrame({
        "data": table["data"], "setting": table["what"], "on": device,
        "seconds": table["seconds"].round(2), "first": table["first"].round(1), "nDCG@100": score,
    })  # fmt: skip


def density_figure(rows: list[dict]) -> Figure:
    """Our two kinds of stage against density; the dashed line is where one gives way."""
    dense, threshold = section(rows, "density"), section(rows, "choice")["dense_above"].item()
    figure = _lines(dense.assign(density=dense["nnz"] / dense["width"]), "density",
                    "density of the rows, nnz / width (log scale)")  # fmt: skip
    axes = figure.axes[0]
    axes.axvline(threshold, color="#555555", linestyle="--")
    axes.annotate(f"dense_above = {threshold:g}", (threshold, axes.get_ylim()[1]), fontsize=9.5,
                  xytext=(-4, -2), textcoords="offset points", ha="right", va="top")  # fmt: skip
    return figure


def growth_figure(rows: list[dict]) -> Figure:
    """Step time as one size grows and the rest stay, each relative to its smallest."""
    titles = {
        "nnz": "nonzeros per item",
        "items": "items",
        "users": "users in a batch",
        "history": "items per user",
        "width": "width",
    }
    with styled():
        figure, axes = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
        marks = "os^Dv"
        colours = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#000000"]
        for (size, title), mark, colour in zip(titles.items(), marks, colours, strict=True):
            group = section(rows, f"growth {size}")
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
        plt.close(figure)
    return figure


def inference_table(rows: list[dict]) -> pd.DataFrame:
    """Throughput, latency and memory of each way to recommend."""
    table = section(rows, "inference")
    ours = table.loc[table["contender"] == OURS, "seconds"].iloc[0]
    return pd.DataFrame({
        "contender": table["contender"],
        "2,500 users, ms": (1e3 * table["seconds"]).round(0).astype(int),
        "times ours": (table["seconds"] / ours).round(1),
        "one user, median ms": (1e3 * table["p50"]).round(2),
        "99 %, ms": (1e3 * table["p99"]).round(2),
        "model, MiB": table["model_mib"].round(1),
        "scores held, MiB": table["scores_mib"],
    })  # fmt: skip


def inference_figure(rows: list[dict]) -> Figure:
    """Users served per second by each way to recommend."""
    table = section(rows, "inference").iloc[::-1]
    rate = 2_500 / table["seconds"]
    with styled():
        figure, axes = plt.subplots(figsize=(6.8, 3.2), layout="constrained")
        colours = [COLOURS[OURS] if name == OURS else "#0072B2" for name in table["contender"]]
        bars = axes.barh(table["contender"], rate, color=colours)
        axes.bar_label(bars, [f"{value:,.0f}" for value in rate], padding=3, fontsize=9.5)
        axes.set(xlabel="users served per second (top 100 of 10,000 items)")
        axes.margins(x=0.12)
        axes.locator_params(axis="x", nbins=5)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.grid(axis="y", visible=False)
        plt.close(figure)
    return figure


def _lines(table: pd.DataFrame, x: str, label: str) -> Figure:
    with styled():
        figure, axes = plt.subplots(layout="constrained")
        for name, group in table.groupby("contender", sort=False):
            group = group.sort_values(x)
            spread = [group["seconds"] - group["low"], group["high"] - group["seconds"]]
            axes.errorbar(group[x], group["seconds"], yerr=spread, label=name, capsize=2,
                          color=COLOURS[name], marker=MARKS[name])  # fmt: skip
        axes.set(xlabel=label, ylabel="seconds per step (log scale)")
        _logarithmic(axes)
        axes.legend(fontsize=9.5)
        plt.close(figure)
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
