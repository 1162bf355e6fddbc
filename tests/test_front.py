"""The first page's parts: worked out by hand, and as the built page has them."""

import json
import re
from pathlib import Path
from shutil import copy2

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from PIL import Image
from scipy.sparse import csr_matrix

from celsa_lib import ItemEmbeddings
from celsa_lib.book.front import (
    BESIDE_FIGURE,
    CARD,
    FIGURE,
    IN_FRONT,
    dense_width,
    front_figure,
    shown_lines,
    write_front,
)
from celsa_lib.book.front_words import (
    HEADLINES,
    evaluation_check,
    key_claims,
    not_measured,
    training_data,
    verdict_of,
)
from celsa_lib.book.item import cell_side, example_item, item_facts, item_markup
from celsa_lib.models.registry import BY_LABEL
from celsa_lib.results import PLAIN

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"


# one item

TITLES = ["<Mort>", "Sourcery", "Emma", "Persuasion"]
ROWS = csr_matrix(
    np.array([[3, -2, 0, 0], [2, 1, 0, 0], [0, 0, 1, 2], [0, 0, 2, 1]], dtype=np.float32)
)


def test_an_item_is_its_nonzeros_largest_first_by_the_names_of_its_latents():
    item = item_facts(ItemEmbeddings(ROWS), TITLES, 0, packed_bytes=7.4)
    assert (item.title, item.width, item.plain_bytes) == ("<Mort>", 4, 16)
    assert [tuple(one) for one in item.nonzeros] == [(0, "<Mort>", 3.0), (1, "Sourcery", -2.0)]
    assert item.nearest[0] == "Sourcery" and "<Mort>" not in item.nearest  # 3·2 − 2·1 > 0


def test_latents_that_no_item_owns_have_numbers():
    wide = csr_matrix(np.array([[0, 3, 0], [1, 0, 2]], dtype=np.float32))
    item = item_facts(ItemEmbeddings(wide), TITLES, 1, packed_bytes=4)
    assert [one.name for one in item.nonzeros] == ["latent 2", "latent 0"]


def test_an_item_is_drawn_to_scale_and_escaped():
    page = BeautifulSoup(
        item_markup(item_facts(ItemEmbeddings(ROWS), TITLES, 0, packed_bytes=7.4), 16),
        "html.parser",
    )
    sparse, dense = page.select("svg")
    assert sparse["viewbox"] == "-2 -2 6 6" and dense["viewbox"] == "-2 -2 8 8"
    places = [(float(cell["x"]), float(cell["y"])) for cell in sparse.select("rect")]
    assert places == [(0, 0.08), (1, 0.08)]
    assert [mark["class"] for mark in sparse.select("g")] == [["celsa-plus"], ["celsa-minus"]]
    assert sparse.g.title.string == "<Mort>: 3.00" and "4 cells, 2 of them" in sparse["aria-label"]
    assert page.select_one(".celsa-title").string == "<Mort>"
    widths = [
        float(re.search(r"width:([\d.]+)%", bar["style"])[1]) for bar in page.select("dd span")
    ]
    assert widths == [100, 25, 10.9]  # 64, 16 and 7 bytes
    assert [row.th.string for row in page.select("tr")] == ["<Mort>", "Sourcery"]


@pytest.mark.parametrize(("cells", "side"), [(1, 1), (4, 2), (5, 3), (1024, 32), (10_000, 100)])
def test_a_square_holds_all_cells(cells, side):
    assert cell_side(cells) == side


def test_the_example_is_in_the_rows_that_come_with_the_library():
    item = example_item()
    more = len(item.nonzeros) - 12
    assert f"and {more} of at most 0." in item_markup(item, 1024)
    assert item.width == 10_000 and item.nonzeros[0].name == item.title
    assert len(item.nearest) == 6 and item.packed_bytes < item.plain_bytes
    assert dense_width(RESULTS) == 1024


# words


def claim(name: str, verdict: str, recommended: str | None = None, interval=None) -> dict:
    about = {"statement": f"{name}.", "notebook": "notebooks/x.ipynb", "why": "holds. More"}
    judged = {"verdict": verdict, "recommended": recommended, "interval": interval}
    return {"id": name} | about | judged


def test_claims_that_matter_stand_with_both_verdicts():
    claims = [
        claim("best/goodbooks-10k/64/ease", "reproduced", "reproduced"),
        claim("best/goodbooks-10k/64/elsa", "not reproduced", "reproduced"),
        claim("ten-times-smaller", "reproduced", None, [-0.01, 0.02]),
        claim("of no matter", "reproduced"),
    ]
    head, _, best, ten = key_claims(claims).splitlines()
    assert head.startswith("| claim of the paper | as the paper trains it | recommended setting |")
    assert "**partly reproduced** | **reproduced** | holds in 1 of 2 comparisons |" in best
    assert "[ten-times-smaller.](../notebooks/x.ipynb) | **reproduced** | – |" in ten
    assert ten.endswith("| holds. More; −0.0100 to +0.0200 |")


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (["reproduced", "reproduced"], "reproduced"),
        (["reproduced", "not tested here"], "reproduced"),
        (["not reproduced"], "not reproduced"),
        (["reproduced", "not reproduced"], "partly reproduced"),
        (["partly reproduced"], "partly reproduced"),
        (["not tested here"], "not tested here"),
    ],
)
def test_one_verdict_for_several(words, word):
    assert verdict_of(words) == word


def test_what_a_panel_lacks_is_said():
    panels = {"A": ["EASE", "ELSA"], "B": ["EASE"], "C": ["ELSA", "EASE"]}
    panels = {title: pd.DataFrame({"label": labels}) for title, labels in panels.items()}
    assert not_measured(panels) == "Not measured in files on B: ELSA."


def test_training_data_is_said_of_each_study():
    said = training_data({"Films": "ml-100k-bytes"}, RESULTS)
    assert said == "Trained on: *Films*: 788 training users, 150 test users, 1,447 items."


def test_the_released_rows_are_measured_as_their_demo_says(tmp_path):
    """Three lines where both studies are stored; the demo's alone where none is."""
    demo, here, drawn_again = evaluation_check(RESULTS).splitlines()[2:]
    values = [float(re.search(r"0\.\d+", line)[0]) for line in (demo, here, drawn_again)]
    assert values[0] == 0.4590 and abs(values[2] - values[0]) < abs(values[1] - values[0])
    assert len(evaluation_check(tmp_path).splitlines()) == 3


# figures and files


def test_the_first_figure_shows_all_that_is_near_the_recommended_setting():
    """A panel for each data set; every method is named once, ours first, whole models on a line."""
    panels = shown_lines(RESULTS)
    figure = front_figure(panels)
    legend = figure.axes[-1].get_legend() or figure.legends[0]
    named = [text.get_text() for text in legend.get_texts()]
    assert named[:2] == list(IN_FRONT.values())
    lines = pd.concat(panels.values())
    whole = set(lines.loc[lines["form"] == PLAIN, "label"])
    others = set(lines["label"]) - whole - set(IN_FRONT)
    assert whole == {"EASE", "EDLAE"} and set(named[2:]) == others
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
        copy2(RESULTS / name, tmp_path)
    panels = shown_lines(tmp_path)
    assert list(panels) == ["MovieLens-100K"] and len(front_figure(panels).axes) == 1


def test_the_first_page_gets_what_it_shows(tmp_path):
    write_front(RESULTS, RESULTS / "claims.json", tmp_path)
    assert Image.open(tmp_path / CARD).size == (1200, 630)
    for name in (FIGURE, BESIDE_FIGURE):
        assert "<svg" in (tmp_path / name).read_text()
    assert "ml-100k-bytes (20" in (tmp_path / "sources.txt").read_text()
    included = {path.name for path in tmp_path.glob("*.txt")}
    pages = "".join(page.read_text() for page in (ROOT / "book").glob("*.md"))
    assert included == {
        f"{name}.txt" for name in re.findall(r"\{include\} front/(\w+)\.txt", pages)
    }


def test_the_first_page_shows_item_figure_claims_and_four_doors(site):
    page = BeautifulSoup((site / "book/intro.html").read_text(), "html.parser").article
    assert (
        page.select(".celsa-item svg") and "Compressed ELSA" in page.select_one("figure img")["alt"]
    )
    doors = [card.get_text(strip=True) for card in page.select(".sd-card .sd-card-title")]
    assert doors == ["Read", "Play", "Re-run", "Teach"]
    text = page.get_text().translate(str.maketrans("’“”", '\'""'))  # as it was typed
    stored = json.loads((RESULTS / "claims.json").read_text())["claims"]
    for one in stored:
        if one["id"] in HEADLINES:
            assert one["statement"] in text
    linked = {link["href"] for link in page.select("table a")}
    assert {
        f"../notebooks/{name}.html" for name in ("table_1", "schedules", "user_story")
    } <= linked
