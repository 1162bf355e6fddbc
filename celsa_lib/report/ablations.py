"""Variants of one method side by side: schedules, restarts, widths, deviations, dead latents."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from celsa_lib.report.figures import bytes_axis
from celsa_lib.report.load import rows_table
from celsa_lib.report.style import MARKS, legend_below, styled, variant_colour
from celsa_lib.report.tables import difference_cell
from celsa_lib.results import Result

LABELS = {"Released": "Released embeddings"}  # models that are rows of deviations


def variant(row: dict) -> str:
    """What a row of an ablation is called: its schedule and whether it restarts."""
    params = row["params"]
    schedule = params.get("schedule", "exponential")
    if schedule == "constant":
        return schedule
    return f"{schedule}, {'restart' if params.get('restart', True) else 'continue'}"


def variants_table(rows: list[dict], names: list[str]) -> pd.DataFrame:
    """A line per variant and size: variant, budget_bytes, ndcg@100, its error over users, seeds.

    `names` says what each row is called; values are means over seeds.
    """
    table = rows_table(rows).assign(variant=names)
    groups = table.groupby(["variant", "budget_bytes"], sort=False)
    mean = groups[["ndcg@100", "ndcg@100 ±"]].mean()
    return mean.assign(seeds=groups.size()).reset_index()


def side_by_side_table(table: pd.DataFrame) -> pd.DataFrame:
    """Variants by size: nDCG@100, rows in the order of `variants_table`."""
    wide = table.pivot(index="variant", columns="budget_bytes", values="ndcg@100")
    wide = wide.loc[list(dict.fromkeys(table["variant"]))]
    wide = wide[sorted(wide.columns, reverse=True)].rename(columns="{:,} B".format)
    return (
        wide.map("{:.4f}".format, na_action="ignore")
        .fillna("–")
        .reset_index()
        .rename_axis(columns=None)
    )


def dense_level(result: Result) -> float | None:
    """nDCG@100 of dense ELSA in an ablation, mean over seeds; None where it has no such rows."""
    values = [row["mean"]["ndcg@100"] for row in result.select(method="ELSA")]
    return float(np.mean(values)) if values else None


def variants_figure(table: pd.DataFrame, title: str = "", level: float | None = None) -> Figure:
    """nDCG@100 against bytes per item, a line per variant; `level`: an uncompressed model's."""
    with styled():
        figure, axes = plt.subplots(layout="constrained")
        for i, (name, group) in enumerate(table.groupby("variant", sort=False)):
            group = group.sort_values("budget_bytes")
            axes.plot(
                group["budget_bytes"],
                group["ndcg@100"],
                label=name,
                color=variant_colour(name, i),
                marker=MARKS[i % len(MARKS)],
                linestyle="--" if name.endswith("continue") else "-",
            )
        if level is not None:
            axes.axhline(level, color="#555555", linestyle=":", label="dense ELSA")
        bytes_axis(axes)
        axes.set(ylabel="nDCG@100", title=title)
        legend_below(figure)
        plt.close(figure)
    return figure


def active_table(rows: list[dict], names: list[str]) -> pd.DataFrame:
    """How many latents at least one item uses at the end of training, of how many.

    Rows of Compressed ELSA; columns variant, bytes per item, latents, active, dead.
    """
    lines = []
    for row, name in zip(rows, names, strict=True):
        width, active = row["params"]["width"], row["history"][-1][1]
        lines.append(
            {
                "variant": name,
                "bytes per item": row["budget_bytes"],
                "latents": width,
                "active": active,
                "dead": f"{1 - active / width:.1%}",
            }
        )
    return pd.DataFrame(lines)


def active_figure(rows: list[dict], names: list[str], title: str = "") -> Figure:
    """Share of latents in use after each epoch, a line per row."""
    with styled():
        figure, axes = plt.subplots(layout="constrained")
        for i, (row, name) in enumerate(zip(rows, names, strict=True)):
            shares = [active / row["params"]["width"] for _, active, _ in row["history"]]
            axes.plot(
                range(1, len(shares) + 1),
                shares,
                label=name,
                color=variant_colour(name, i),
                marker=MARKS[i % len(MARKS)],
                markersize=4,
                linestyle="--" if name.endswith("continue") else "-",
            )
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set(xlabel="epoch", ylabel="latents in use", title=title, ylim=(0, 1.05))
        legend_below(figure)
        plt.close(figure)
    return figure


def deviations_table(rows: list[dict]) -> pd.DataFrame:
    """Each deviation: the difference by user [interval], nDCG@100 with and without."""
    return pd.DataFrame(
        {
            "what": row["deviation"],
            "model": LABELS.get(row["model"], row["model"]),
            "difference": difference_cell(row["difference"], row["low"], row["high"]),
            "clear": "yes" if row["low"] > 0 or row["high"] < 0 else "no",
            "ours": f"{row['default']:.4f} ± {row['stderr']:.4f}",
            "as released": f"{row['as released']:.4f}",
        }
        for row in rows
    )
