"""The first page's parts: counted by hand, and as the built page has them."""

import json
from pathlib import Path

from bs4 import BeautifulSoup

from celsa_lib.book.front import verdicts

ROOT = Path(__file__).parents[1]


def test_the_counts_of_verdicts():
    words = ["reproduced", "partly", "reproduced", "not tested here"]
    text = verdicts([{"verdict": word} for word in words])
    assert "4 claims" in text
    assert "| reproduced | partly | not reproduced | not tested here |" in text
    assert "| **2** | **1** | **0** | **1** |" in text


def test_the_first_page_shows_figure_counts_and_three_doors(site):
    page = BeautifulSoup((site / "book/intro.html").read_text(), "html.parser").article
    claims = json.loads((ROOT / "results/claims.json").read_text())["claims"]
    shown = [int(cell.get_text()) for cell in page.table.select("td")]
    assert len(shown) == 4 and sum(shown) == len(claims)
    assert "Compressed ELSA" in page.figure.img["alt"]
    doors = [card.get_text(strip=True) for card in page.select(".sd-card .sd-card-title")]
    assert doors == ["Read", "Re-run", "Teach"]
