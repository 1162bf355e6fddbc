"""The first page's parts: counted by hand, and as the built page has them."""

import json
from pathlib import Path

from bs4 import BeautifulSoup
from PIL import Image

from celsa_lib.book.front import (
    CARD,
    COUNTS,
    FIGURE,
    front_figure,
    shown_rows,
    verdicts,
    write_front,
)
from celsa_lib.report.figures import drawn
from celsa_lib.report.verdicts import WORDS

ROOT = Path(__file__).parents[1]


def test_the_counts_of_verdicts():
    words = ["reproduced", "partly reproduced", "reproduced", "not tested here"]
    text = verdicts([{"verdict": word} for word in words])
    assert "4 claims" in text
    assert "| reproduced | partly reproduced | not reproduced | not tested here |" in text
    assert "| **2** | **1** | **0** | **1** |" in text


def test_the_first_page_shows_figure_counts_and_three_doors(site):
    page = BeautifulSoup((site / "book/intro.html").read_text(), "html.parser").article
    stored = json.loads((ROOT / "results/claims.json").read_text())["counts"].values()
    words = [cell.get_text(strip=True) for cell in page.table.select("th")]
    shown = [int(cell.get_text()) for cell in page.table.select("td")]
    counts = {word: sum(group[word] for group in stored) for word in WORDS}
    assert dict(zip(words, shown, strict=True)) == counts
    assert "Compressed ELSA" in page.figure.img["alt"]
    doors = [card.get_text(strip=True) for card in page.select(".sd-card .sd-card-title")]
    assert doors == ["Read", "Re-run", "Teach"]


def test_the_first_figure_shows_all_that_is_near_compressed_elsa():
    """Every method is named once, and only marks far below Compressed ELSA are outside."""
    rows = shown_rows(ROOT / "results")
    figure = front_figure(rows)
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(named) == sorted(set(drawn(rows)["label"])) and "Recommended setting" in named
    bottom, top = figure.axes[0].get_ylim()
    compressed = rows.loc[rows["label"] == "Compressed ELSA", "ndcg@100"]
    assert bottom < compressed.min() < compressed.max() < top
    ours = rows.loc[rows["label"] == "Recommended setting", "ndcg@100"]
    assert ((bottom < ours) & (ours < top)).all() and rows["ndcg@100"].max() < top


def test_the_first_page_gets_its_figure_card_and_counts(tmp_path):
    write_front(ROOT / "results", ROOT / "results" / "claims.json", tmp_path)
    card = Image.open(tmp_path / CARD)
    assert card.size == (1200, 630)
    assert "<svg" in (tmp_path / FIGURE).read_text()
    assert "**" in (tmp_path / COUNTS).read_text()
