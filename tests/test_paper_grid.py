"""Table 1 as the paper prints it, and its curves beside ours."""

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from celsa_lib import report
from celsa_lib.report.figures import paper_beside_ours
from celsa_lib.report.paper import paper_table
from celsa_lib.report.paper_grid import paper_grid

LINES = pd.DataFrame(
    [
        ("Compressed ELSA", 64, 0.45, 0.01),
        ("Pruned EASE", 64, 0.445, 0.01),
        ("Low-dim ELSA", 64, 0.2, 0.01),
        ("Recommended setting", 64, 0.441, 0.01),
        ("Popularity", 4, 0.1, 0.01),
        ("ELSA", 4096, 0.5, 0.01),
    ],
    columns=["label", "budget_bytes", "ndcg@100", "ndcg@100 ±"],
)


def grid(*arguments) -> BeautifulSoup:
    return BeautifulSoup(paper_grid(*arguments), "html.parser")


def cells(page: BeautifulSoup, label: str, kind: str) -> list[str]:
    """What a line shows of ours, the paper's or the difference."""
    (line,) = (row for row in page.select("tbody tr") if row.th.string == label)
    return [cell.get_text() for cell in line.select(f"td .celsa-{kind}")]


def test_a_line_has_the_papers_columns_and_three_things_to_show():
    page = grid("goodbooks-10k-partial", LINES)
    assert [box["value"] for box in page.select("input")] == ["ours", "paper", "difference"]
    assert len(page.select("input[checked]")) == 1
    assert len(page.select("thead th")) == 6
    assert cells(page, "Compressed ELSA", "ours") == ["–"] * 4 + ["0.450"]
    assert cells(page, "Compressed ELSA", "paper") == ["0.491", "0.488", "0.483", "0.477", "0.469"]
    assert cells(page, "Compressed ELSA", "difference") == ["–"] * 4 + ["−0.019"]
    assert cells(page, "Recommended setting", "paper") == ["–"] * 5
    assert "other training data" in page.caption.get_text()
    assert "Popularity" not in page.get_text()


def test_models_of_one_size_have_a_line_without_columns():
    page = grid("goodbooks-10k-partial", LINES)
    assert cells(page, "ELSA", "ours") == ["0.500, 4,096 bytes"]
    assert cells(page, "ELSA", "paper") == ["0.489, 13,000 bytes"]
    assert cells(page, "ELSA", "difference") == ["of other sizes"]
    assert cells(page, "EASE", "ours") == ["–"]


def test_what_is_within_an_error_of_the_best_is_bold():
    page = grid("goodbooks-10k-partial", LINES)
    assert [strong.get_text() for strong in page.select("strong")] == ["0.445", "0.450", "0.441"]
    assert page.select_one(".celsa-own th").string == "Compressed ELSA"


@pytest.mark.parametrize(
    ("dataset", "lines", "kind"), [("ml-20m", None, "paper"), ("ml-100k", LINES, "ours")]
)
def test_one_side_alone_needs_no_switch(dataset, lines, kind):
    page = grid(dataset, lines)
    (box,) = page.select("input")
    assert box["value"] == kind and box.parent.has_attr("hidden") and not page.select("fieldset")
    assert len(page.select(f".celsa-{kind}")) == len(page.select(".celsa-value")) > 3


def test_nothing_to_show_is_nothing(tmp_path):
    assert paper_grid("ml-100k") == ""
    assert "0.379" in report.stored("ml-20m", tmp_path).beside_paper()


def test_the_switch_shows_one_kind_at_a_time(open_html):
    page = open_html(paper_grid("goodbooks-10k-partial", LINES))
    shown = lambda: page.locator("tbody tr td span:visible").all_inner_texts()  # noqa: E731
    first = shown()
    assert "0.450" in first and "0.469" not in first
    page.get_by_label("ours − the paper's").check()
    assert "−0.019" in shown() and "0.450" not in shown()


def test_the_papers_curves_stand_beside_ours():
    figure = paper_beside_ours(paper_table("goodbooks-10k"), LINES)
    theirs, ours = figure.axes
    assert theirs.get_ylim() == ours.get_ylim() and theirs.get_title() == "the paper"
    assert len(theirs.containers) == 6 and len(ours.containers) == 5
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named[:2] == ["Compressed ELSA", "Recommended setting"] and "Popularity" not in named
