"""The first page's parts: counted by hand, and as the built page has them."""

import json
from pathlib import Path

from bs4 import BeautifulSoup
from PIL import Image

from celsa_lib.book.front import CARD, COUNTS, FIGURE, shown_rows, verdicts, write_front
from celsa_lib.report.figures import drawn, named_by_size
from celsa_lib.report.statistics import summary
from celsa_lib.report.verdicts import WORDS
from celsa_lib.results import load_result

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


def test_every_method_is_named_once_beside_its_first_mark():
    rows = summary(load_result(ROOT / "results/goodbooks-10k-partial.json"))
    (axes,) = named_by_size(rows).axes
    assert axes.get_legend() is None
    names = {text.get_text(): text.xy for text in axes.texts}
    assert len(axes.texts) == len(names) and set(names) == set(drawn(rows)["label"])
    compressed = rows[rows["label"] == "Compressed ELSA"].set_index("budget_bytes")
    assert tuple(names["Compressed ELSA"]) == (64, compressed.loc[64, "ndcg@100"])


def test_no_two_names_overlap():
    """Text of the real figure, in pixels."""
    figure = named_by_size(shown_rows(ROOT / "results"))
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    overlaps = [(a, b) for a in boxes for b in boxes if a is not b and _rows_meet(a, b)]
    assert not overlaps
    inside = figure.axes[0].bbox
    assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for box in boxes)


def _rows_meet(a, b) -> bool:
    """Whether more than a hair of two lines of text lies on each other."""
    high = min(a.y1, b.y1) - max(a.y0, b.y0)
    return min(a.x1, b.x1) > max(a.x0, b.x0) and high > 0.35 * min(a.height, b.height)


def test_the_first_page_gets_its_figure_card_and_counts(tmp_path):
    write_front(ROOT / "results", ROOT / "results" / "claims.json", tmp_path)
    card = Image.open(tmp_path / CARD)
    assert card.size == (1200, 630)
    assert "<svg" in (tmp_path / FIGURE).read_text()
    assert "**" in (tmp_path / COUNTS).read_text()
