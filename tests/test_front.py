"""The first page's parts: counted by hand, and as the built page has them."""

import json
from pathlib import Path
from shutil import copy2

import pandas as pd
from bs4 import BeautifulSoup
from PIL import Image

from celsa_lib.book.front import (
    CARD,
    COUNTS,
    FIGURE,
    PROVENANCE,
    front_figure,
    not_measured,
    shown_lines,
    verdicts,
    write_front,
)
from celsa_lib.models.registry import BY_LABEL
from celsa_lib.report.verdicts import WORDS
from celsa_lib.results import PLAIN

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


def test_the_first_figure_shows_all_that_is_near_the_recommended_setting():
    """A panel for each data set; every method is named once, ours first, whole models on a line."""
    panels = shown_lines(ROOT / "results")
    figure = front_figure(panels)
    legend = figure.axes[-1].get_legend() or figure.legends[0]
    named = [text.get_text() for text in legend.get_texts()]
    assert named[:2] == ["Recommended setting", "Compressed ELSA"]
    lines = pd.concat(panels.values())
    whole = set(lines.loc[lines["form"] == PLAIN, "label"])
    assert whole == {"EASE", "EDLAE"} and sorted(named) == sorted(set(lines["label"]) - whole)
    drawn = figure.axes[: len(panels)]
    assert [axes.get_title() for axes in drawn] == list(panels)
    for axes, shown in zip(drawn, panels.values(), strict=True):
        assert {text.get_text().split(",")[0] for text in axes.texts} <= whole
        bottom, top = axes.get_ylim()
        ours = shown.loc[shown["label"] == "Recommended setting", "ndcg@100"]
        assert bottom < ours.min() and shown["ndcg@100"].max() < top
        assert axes.get_xlim()[0] < shown["bytes_per_item"].min()
        heaviest = max(axes.lines, key=lambda line: line.get_linewidth() * len(line.get_xdata()))
        assert heaviest.get_color() == BY_LABEL["Recommended setting"].colour


def test_a_study_that_is_not_stored_has_no_panel(tmp_path):
    for name in ("ml-100k-bytes.json", "ml-100k-bytes.users.npz"):
        copy2(ROOT / "results" / name, tmp_path)
    panels = shown_lines(tmp_path)
    assert list(panels) == ["MovieLens-100K"] and len(front_figure(panels).axes) == 1


def test_what_a_panel_lacks_is_said():
    panels = {"A": ["EASE", "ELSA"], "B": ["EASE"], "C": ["ELSA", "EASE"]}
    panels = {title: pd.DataFrame({"label": labels}) for title, labels in panels.items()}
    assert not_measured(panels) == "Not measured in files on B: ELSA."


def test_the_first_page_gets_its_figure_card_and_counts(tmp_path):
    write_front(ROOT / "results", ROOT / "results" / "claims.json", tmp_path)
    card = Image.open(tmp_path / CARD)
    assert card.size == (1200, 630)
    assert "<svg" in (tmp_path / FIGURE).read_text()
    assert "**" in (tmp_path / COUNTS).read_text()
    assert "ml-100k-bytes (20" in (tmp_path / PROVENANCE).read_text()
