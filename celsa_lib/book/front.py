"""What the first page shows of stored results: one figure, and how the claims came out."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from celsa_lib.files import write_whole
from celsa_lib.models.registry import METHODS, OURS, RECOMMENDED
from celsa_lib.report import sources
from celsa_lib.report.claims_table import read_claims
from celsa_lib.report.figures import bytes_axis
from celsa_lib.report.real_bytes import curves_table, packed_lines
from celsa_lib.report.statistics import METRIC
from celsa_lib.report.style import colour, mark, new_figure
from celsa_lib.report.verdicts import WORDS
from celsa_lib.results import PLAIN, load_intact

# Data sets by the heading of their panel, and the study of each; those that are stored are shown.
PANELS = {
    "Goodbooks-10k partial": "goodbooks-bytes",
    "MovieLens-100K": "ml-100k-bytes",
    "Synthetic, 3,500 items": "synthetic-3500-bytes",
}
FIGURE, CARD = "accuracy.svg", "card.png"
COUNTS, PROVENANCE = "verdicts.txt", "sources.txt"  # .txt: no pages of their own
CLAIMS_FILE = "claims.json"
IN_FRONT = (RECOMMENDED, OURS)  # in the legend, and drawn in front of all others
LEAST = 1.5  # bytes at the left end: room for the names of whole models
MARGIN = 0.06  # of nDCG@100 below the lowest of ours: what is lower would flatten the rest


def write_front(results: Path, claims: Path, folder: Path) -> None:
    """accuracy.svg, its first two panels as card.png, verdicts.txt and sources.txt (Markdown) and
    `claims` in `folder`.

    Raises StorageError where a result cannot be read.
    """
    panels = shown_lines(results)
    figure = front_figure(panels)
    write_whole(
        folder / FIGURE, lambda file: figure.savefig(file, format="svg", metadata={"Date": None})
    )
    card = front_figure({title: panels[title] for title in list(panels)[:2]})
    card.set_size_inches(8, 4.2)  # at 150 dots per inch what sites show beside a link
    write_whole(folder / CARD, lambda file: card.savefig(file, format="png", dpi=150))
    text = claims.read_bytes()  # for the roles of `book.findings`
    write_whole(folder / CLAIMS_FILE, lambda file: file.write(text))
    stored = f"{sources(list(_stored(results).values()), results)}\n\n{not_measured(panels)}\n"
    counted = verdicts(read_claims(claims)["claims"])
    for name, words in ((COUNTS, counted), (PROVENANCE, stored)):
        write_whole(folder / name, lambda file, words=words: file.write(words.encode()))


def front_figure(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """nDCG@100 against bytes per item in a file, a panel for each data set, and one legend.

    Two panels in a row; the legend is in the place that is left, or below.
    """
    columns, rows = min(2, len(panels)), -(-len(panels) // 2)
    size = 4.4 * columns, 4.2 * rows + 1
    with new_figure(nrows=rows, ncols=columns, figsize=size, squeeze=False) as (figure, places):
        named = {}
        for axes, (title, lines) in zip(places.flat, panels.items(), strict=False):
            _draw_panel(axes, lines)
            axes.set_title(title)
            handles, labels = axes.get_legend_handles_labels()
            named |= dict(zip(labels, handles, strict=True))
        for axes in places[:, 0]:
            axes.set_ylabel("nDCG@100")
        figure.suptitle("How much accuracy do small embeddings keep?")
        labels = sorted(named, key=[*IN_FRONT, *(method.label for method in METHODS)].index)
        legend = [named[label] for label in labels], labels
        if places.size > len(panels):
            places.flat[-1].axis("off")
            places.flat[-1].legend(*legend, loc="center")
        else:
            figure.legend(*legend, loc="outside lower center", ncols=3, fontsize=9.5)
    return figure


def _draw_panel(axes: Axes, lines: pd.DataFrame) -> None:
    """One data set: curves packed at 4 bits, ours in front; models of one size as their height."""
    is_whole = lines["form"] == PLAIN
    for label, group in lines[~is_whole].groupby("label", sort=False):
        ours = label == RECOMMENDED
        axes.errorbar(
            group["bytes_per_item"], group[METRIC], yerr=group[f"{METRIC} ±"] if ours else None,
            label=label, color=colour(label), marker=mark(label), capsize=2, elinewidth=1,
            linewidth=3 if ours else 1.3, markersize=8 if ours else 5,
            zorder=4 - IN_FRONT.index(label) / 2 if label in IN_FRONT else 2,
        )  # fmt: skip
    for place, line in enumerate(lines[is_whole].sort_values(METRIC).to_dict("records")):
        axes.axhline(line[METRIC], color=colour(line["label"]), linestyle="--", zorder=1)
        axes.annotate(
            f"{line['label']}, {line['bytes_per_item']:,.0f} B", (0.02, line[METRIC]),
            xycoords=("axes fraction", "data"), xytext=(0, 3 if place else -3),
            textcoords="offset points", va="bottom" if place else "top", fontsize=9,
        )  # fmt: skip
    bytes_axis(axes)
    lowest = lines.loc[lines["label"] == RECOMMENDED, METRIC].min()
    axes.set(xlabel="bytes per item in a file (log scale)", xlim=(LEAST, None))
    axes.set_ylim(bottom=lowest - MARGIN)


def shown_lines(results: Path) -> dict[str, pd.DataFrame]:
    """What the figure shows of each stored study: methods at 4 bits in a file, whole models."""
    return {
        title: packed_lines(curves_table(load_intact(results / f"{name}.json")))
        for title, name in _stored(results).items()
    }


def not_measured(panels: Mapping[str, pd.DataFrame]) -> str:
    """A sentence for each panel that lacks methods which another has."""
    every = dict.fromkeys(label for lines in panels.values() for label in lines["label"])
    missing = {title: every.keys() - set(lines["label"]) for title, lines in panels.items()}
    return " ".join(
        f"Not measured in files on {title}: {', '.join(sorted(labels))}."
        for title, labels in missing.items()
        if labels
    )


def _stored(results: Path) -> dict[str, str]:
    """Those of PANELS that are in `results`."""
    return {title: name for title, name in PANELS.items() if (results / f"{name}.json").exists()}


def verdicts(claims: list[dict]) -> str:
    """How many claims have each verdict, as a table in Markdown, and how many there are."""
    counts = Counter(claim["verdict"] for claim in claims)
    lines = [WORDS, ["---"] * len(WORDS), [f"**{counts[word]}**" for word in WORDS]]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    kinds = "those of the paper, cell by cell of its table, and the same on other data"
    return f"The book judges {len(claims)} claims: {kinds}. So far:\n\n{table}\n"
