"""What pages show of stored results by themselves: the first page's figure, item and verdicts."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from celsa_lib.book.front_words import (
    STUDY,
    evaluation_check,
    key_claims,
    not_measured,
    training_data,
)
from celsa_lib.book.item import example_item, item_markup
from celsa_lib.files import write_whole
from celsa_lib.models.registry import DENSE, DENSE_SIZE, METHODS, OURS, RECOMMENDED
from celsa_lib.report import sources
from celsa_lib.report.claims_table import read_claims
from celsa_lib.report.figures import bytes_axis, paper_beside_ours
from celsa_lib.report.methods import by_size
from celsa_lib.report.paper import name_in_paper, paper_table
from celsa_lib.report.real_bytes import curves_table, packed_lines
from celsa_lib.report.statistics import METRIC
from celsa_lib.report.style import colour, mark, new_figure
from celsa_lib.results import PLAIN, load_intact

# Data sets by the heading of their panel, and the study of each; those that are stored are shown.
PANELS = {
    "Goodbooks-10k partial": "goodbooks-bytes",
    "MovieLens-100K": "ml-100k-bytes",
    "Synthetic, 800 items": "synthetic-800-bytes",
    "Synthetic, 3,500 items": "synthetic-3500-bytes",
    "Synthetic, 10,000 items": "synthetic-10000-bytes",
}
FIGURE, CARD, BESIDE_FIGURE = "accuracy.svg", "card.png", "beside.svg"
CLAIMS_FILE = "claims.json"
# In the legend first, in words that need no other page, and drawn in front of all others.
IN_FRONT = {
    RECOMMENDED: f"{OURS}, recommended setting",
    OURS: f"{OURS}, as the paper trains it",
}
LEAST = 1.5  # bytes at the left end: room for the names of whole models
MARGIN = 0.06  # of nDCG@100 below the lowest of ours: what is lower would flatten the rest


def write_front(results: Path, claims: Path, folder: Path) -> None:
    """Figures and a card in `folder`, what pages include as .txt (Markdown), and `claims`.

    Raises StorageError where a result cannot be read.
    """
    panels = shown_lines(results)
    _save(front_figure(panels), folder / FIGURE)
    card = front_figure({title: panels[title] for title in list(panels)[:2]})
    card.set_size_inches(8, 4.2)  # at 150 dots per inch what sites show beside a link
    write_whole(folder / CARD, lambda file: card.savefig(file, format="png", dpi=150))
    _save(beside_paper_figure(results), folder / BESIDE_FIGURE)
    for name, words in front_texts(results, claims, panels).items():
        write_whole(folder / f"{name}.txt", lambda file, words=words: file.write(words.encode()))
    text = claims.read_bytes()  # for the roles of `book.findings`
    write_whole(folder / CLAIMS_FILE, lambda file: file.write(text))


def front_texts(results: Path, claims: Path, panels: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """What pages include, by name: .txt, as they are no pages of their own."""
    stored = _stored(results)
    return {
        "item": item_block(results),
        "claims": f"{key_claims(read_claims(claims)['claims'])}\n",
        "data": f"{training_data(stored, results)} {not_measured(panels)}\n",
        "sources": f"{sources(list(stored.values()), results)}\n",
        "evaluation": f"{evaluation_check(results)}\n",
    }


def item_block(results: Path) -> str:
    """The item of the first page, between fences of Markdown."""
    markup = item_markup(example_item(), dense_width(results))
    return f"```{{raw}} html\n{markup}\n```\n"


def dense_width(results: Path) -> int:
    """Numbers of the dense vector that the rows replace: of the reference in Table 1's study."""
    dense = load_intact(results / f"{STUDY}.json").select(label=DENSE)
    return dense[0]["budget_bytes"] // DENSE_SIZE[1]


def beside_paper_figure(results: Path) -> Figure:
    """The paper's Table 1 for Goodbooks-10k beside ours, as curves."""
    result = load_intact(results / f"{STUDY}.json")
    return paper_beside_ours(paper_table(name_in_paper(STUDY)), by_size(result))


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
        legend = [named[label] for label in labels], [IN_FRONT.get(name, name) for name in labels]
        if places.size > len(panels):
            places.flat[-1].axis("off")
            places.flat[-1].legend(*legend, loc="center")
        else:
            figure.legend(*legend, loc="outside lower center", ncols=2, fontsize=9.5)
    return figure


def _draw_panel(axes: Axes, lines: pd.DataFrame) -> None:
    """One data set: curves packed at 4 bits, ours in front; models of one size as their height."""
    is_whole = lines["form"] == PLAIN
    depth = {label: 4 - place / 2 for place, label in enumerate(IN_FRONT)}
    for label, group in lines[~is_whole].groupby("label", sort=False):
        ours = label == RECOMMENDED
        axes.errorbar(
            group["bytes_per_item"], group[METRIC], yerr=group[f"{METRIC} ±"] if ours else None,
            label=label, color=colour(label), marker=mark(label), capsize=2, elinewidth=1,
            linewidth=3 if ours else 1.3, markersize=8 if ours else 5, zorder=depth.get(label, 2),
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


def _stored(results: Path) -> dict[str, str]:
    """Those of PANELS that are in `results`."""
    return {title: name for title, name in PANELS.items() if (results / f"{name}.json").exists()}


def _save(figure: Figure, path: Path) -> None:
    """A figure as SVG; the same figure gives the same bytes."""
    write_whole(path, lambda file: figure.savefig(file, format="svg", metadata={"Date": None}))
