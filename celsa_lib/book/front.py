"""What the first page shows of stored results: one figure, and how the claims came out."""

import json
from collections import Counter
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from celsa_lib.files import write_whole
from celsa_lib.models.registry import OURS
from celsa_lib.report.figures import accuracy_by_size
from celsa_lib.report.statistics import summary
from celsa_lib.report.verdicts import WORDS
from celsa_lib.results import load_intact

STUDY = "goodbooks-10k-partial"  # the paper's main data set, as far as we have it
FIGURE, CARD, COUNTS = "accuracy.svg", "card.png", "verdicts.txt"  # .txt: no page of its own
LEDGER = "claims.json"
# One lies near the line of the other low-dimensional ELSA, one on that of EASE, one far below.
LEFT_OUT = ("Low-dim ELSA, regularised", "EDLAE", "Popularity")
MARGIN = 0.06  # of nDCG@100 below Compressed ELSA's worst: what is lower would flatten the rest


def write_front(results: Path, claims: Path, folder: Path) -> None:
    """accuracy.svg, the same as card.png, verdicts.txt (Markdown) and `claims` in `folder`.

    Raises StorageError where a result cannot be read.
    """
    figure = front_figure(shown_rows(results))
    write_whole(
        folder / FIGURE, lambda file: figure.savefig(file, format="svg", metadata={"Date": None})
    )
    figure.set_size_inches(8, 4.2)  # at 150 dots per inch what sites show beside a link
    write_whole(folder / CARD, lambda file: figure.savefig(file, format="png", dpi=150))
    text = claims.read_bytes()  # for the roles of `book.findings`
    write_whole(folder / LEDGER, lambda file: file.write(text))
    counted = verdicts(json.loads(text)["claims"])
    write_whole(folder / COUNTS, lambda file: file.write(counted.encode()))


def front_figure(rows: pd.DataFrame) -> Figure:
    """nDCG@100 against size, from a little below Compressed ELSA on."""
    figure = accuracy_by_size(rows, "How much accuracy do small embeddings keep?")
    lowest = rows.loc[rows["label"] == OURS, "ndcg@100"].min()
    figure.axes[0].set_ylim(bottom=lowest - MARGIN)
    return figure


def shown_rows(results: Path) -> pd.DataFrame:
    """What the figure shows: the methods of the study but those LEFT_OUT."""
    rows = summary(load_intact(results / f"{STUDY}.json"))
    return rows[~rows["label"].isin(LEFT_OUT)]


def verdicts(claims: list[dict]) -> str:
    """How many claims have each verdict, as a table in Markdown, and how many there are."""
    counts = Counter(claim["verdict"] for claim in claims)
    lines = [WORDS, ["---"] * len(WORDS), [f"**{counts[word]}**" for word in WORDS]]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    kinds = "those of the paper, cell by cell of its table, and the same on other data"
    return f"The book judges {len(claims)} claims: {kinds}. So far:\n\n{table}\n"
