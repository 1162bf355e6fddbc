"""The book on paper: one page with everything in it, printed by a real browser."""

import shutil

import pytest

from celsa_lib.book import pdf
from celsa_lib.errors import NotebookError

UNRENDERED = r"document.body.innerText.match(/\\\[|\\\(/g) || []"
BROKEN = "[...document.images].filter(i => !i.naturalWidth).map(i => i.src)"
FOLDED = """[...document.querySelectorAll("main details")].filter(
    d => !d.open && !d.closest(".celsa-catalogue")).length"""


@pytest.fixture(scope="module")
def whole(site, tmp_path_factory):
    """The whole book in one HTML file."""
    return pdf.whole_page(site.parents[1] / "book", tmp_path_factory.mktemp("whole"))


def test_nothing_is_missing_folded_or_left_as_code(browser, whole):
    page = browser.new_page()
    lost = []
    page.on("requestfailed", lambda request: lost.append(request.url))
    page.goto(whole.as_uri())
    page.wait_for_selector("mjx-container")
    page.wait_for_function("MathJax.startup && document.querySelectorAll('mjx-container').length")
    page.evaluate("() => MathJax.startup.promise")
    assert lost == [] and page.evaluate(BROKEN) == []
    assert page.locator("mjx-container").count() > 30
    assert page.evaluate(UNRENDERED) == []
    assert page.evaluate(FOLDED) == 0
    titles = page.locator("main :is(h1, h2, h3)").all_inner_texts()
    assert any("Exercises" in t for t in titles) and any("Changelog" in t for t in titles)
    page.close()


def test_it_is_printed(browser, whole, tmp_path):
    target = tmp_path / "celsa.pdf"
    pdf.print_page(whole, target)
    assert target.read_bytes().startswith(b"%PDF") and target.stat().st_size > 200_000
    assert [path.name for path in tmp_path.iterdir()] == ["celsa.pdf"]


def test_without_a_browser_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(NotebookError, match="needs Chromium"):
        pdf.print_page(tmp_path / "whole.html", tmp_path / "celsa.pdf")
