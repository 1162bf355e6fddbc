"""Compressed ELSA minus pruned EASE, by what was learned from and by who was tested."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from celsa_lib.report.figures import bytes_axis
from celsa_lib.report.pages import absent
from celsa_lib.report.style import MARKS, PALETTE, styled
from celsa_lib.report.tables import Html, notice, plain_table, titled
from celsa_lib.results import load_result, located

APART = 0.03  # of a mark's place, so that intervals of the same size do not hide each other


def amounts_table(rows: list[dict]) -> pd.DataFrame:
    """Each training set, group of test users and size: both methods, the difference by user [95 %],
    what each chose.
    """
    return pd.DataFrame(
        {
            "trained on": row["trained on"],
            "users": f"{row['users']:,}",
            "interactions": f"{row['interactions']:,}",
            "tested on": row["tested on"],
            "test users": f"{row['test users']:,}",
            "bytes per item": row["budget_bytes"],
            "Compressed ELSA": f"{row['ours']:.4f} ± {row['ours ±']:.4f}",
            "Pruned EASE": f"{row['theirs']:.4f} ± {row['theirs ±']:.4f}",
            "difference": f"{row['difference']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]",
            "learning rate": f"{row['learning_rate']:g}",
            "reg": f"{row['reg']:g}",
        }
        for row in rows
    )


def amounts_figure(rows: list[dict], title: str = "") -> Figure:
    """Compressed ELSA minus pruned EASE by size: above by training set, below by users."""
    all_sets = dict.fromkeys(row["trained on"] for row in rows)
    all_groups = dict.fromkeys(row["tested on"] for row in rows)
    first_set, first_group = next(iter(all_sets)), next(iter(all_groups))
    with styled():
        figure, panels = plt.subplots(2, 1, figsize=(7, 8.4), sharey=True, layout="constrained")
        by_set = {n: _of(rows, n, first_group) for n in all_sets}
        by_group = {n: _of(rows, first_set, n) for n in all_groups}
        _differences(panels[0], by_set, f"tested on: {first_group}")
        _differences(panels[1], by_group, f"trained on: {first_set}")
        figure.suptitle(title)
        plt.close(figure)
    return figure


def _of(rows: list[dict], trained_on: str, tested_on: str) -> list[dict]:
    return [r for r in rows if (r["trained on"], r["tested on"]) == (trained_on, tested_on)]


def _differences(axes: Axes, lines: dict[str, list[dict]], title: str) -> None:
    """A line for each entry, with 95 % intervals; zero marked."""
    axes.axhline(0, color="#555555", linewidth=1)
    for i, (name, rows) in enumerate(lines.items()):
        shift = 1 + APART * (i - (len(lines) - 1) / 2)
        values = pd.DataFrame(rows).sort_values("budget_bytes")
        below, above = values["difference"] - values["low"], values["high"] - values["difference"]
        axes.errorbar(
            values["budget_bytes"] * shift,
            values["difference"],
            yerr=[below, above],
            label=name,
            color=PALETTE[i % len(PALETTE)],
            marker=MARKS[i % len(MARKS)],
            capsize=2,
        )
    bytes_axis(axes)
    axes.set(
        xlabel="size of an item (bytes, log scale)",
        ylabel="Compressed ELSA − pruned EASE",
        title=title,
    )
    axes.legend(fontsize=9.5, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)


def stored_amounts(path: str | Path) -> Html:
    """The table of a stored study, folded away; a note where there is none yet."""
    if not located(path).exists():
        return absent(path)
    stored = load_result(path)
    table = plain_table(amounts_table(stored.rows), "nDCG@100 ± standard error over users")
    folded = f"<details><summary>All numbers</summary>{table}</details>"
    return Html(folded + notice(stored.manifest))


def stored_amounts_figure(path: str | Path):
    """The figure of a stored study; a note where there is none yet."""
    if not located(path).exists():
        return absent(path)
    stored = load_result(path)
    return amounts_figure(stored.rows, titled(stored.manifest, live=False))
