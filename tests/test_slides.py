"""Slides: what is marked, in order, standing alone; then in a real browser."""

import re
from pathlib import Path

import pytest

from celsa_lib.book.slides import from_top, slides_of, write_slides

PAGE = """<html><body><article><section id="top">
<h1>Loss<a class="headerlink" href="#top">#</a></h1>
<div class="slide docutils" id="mark"><p>x &lt; y <a href="other.html#there">there</a>
<a href="#top">up</a> <img src="../_images/a.png" alt="a"></p></div>
<section id="more"><h2>More<a class="headerlink" href="#more">#</a></h2>
<div class="cell tag_slide"><div class="cell_input">code</div>
<div class="cell_output"><b>42</b></div></div>
<div class="cell tag_slide"><div class="cell_input">not run</div></div>
</section></section></article></body></html>"""
WIDE = {"width": 1280, "height": 720}


@pytest.fixture
def html(tmp_path) -> Path:
    (tmp_path / "book").mkdir()
    (tmp_path / "book/loss.html").write_text(PAGE)
    return tmp_path


@pytest.mark.parametrize(
    ("url", "seen_from_the_top"),
    [
        ("#top", "book/loss.html#top"),
        ("other.html#there", "book/other.html#there"),
        ("../_images/a.png", "_images/a.png"),
        ("https://example.org/a", "https://example.org/a"),
        ("data:image/png;base64,AA", "data:image/png;base64,AA"),
    ],
)
def test_a_link_from_the_top(url, seen_from_the_top):
    assert from_top(url, "book/loss") == seen_from_the_top


def test_marked_passages_and_outputs_stand_alone(html):
    text, output = slides_of(html, "book/loss")  # the cell without an output is no slide
    assert (text["chapter"], text["title"]) == ("Loss", "Loss")
    assert (output["chapter"], output["title"]) == ("Loss", "More")
    assert output["body"] == "<b>42</b>"
    assert output["href"] == "book/loss.html#more"
    assert "x &lt; y" in text["body"]  # what was escaped stays so
    assert 'src="_images/a.png"' in text["body"] and "id=" not in text["body"]


def test_slides_come_in_the_order_of_the_pages(html):
    (html / "book/early.html").write_text(PAGE.replace("Loss", "Early & first"))
    text = write_slides(html, ["book/early", "book/loss"]).read_text()
    titles = re.findall(r"<h1>(?:<small>.*?</small>)?(.*?)</h1>", text)
    assert titles == ["Early &amp; first", "More", "Loss", "More"]


def test_the_slides_of_the_book_in_a_browser(browser, site):
    page = browser.new_page(viewport=WIDE)
    outside = []
    page.on("request", lambda r: None if r.url.startswith("file:") else outside.append(r.url))
    page.goto((site / "slides.html").as_uri())
    page.wait_for_function("window.MathJax?.startup?.promise")
    page.evaluate("() => MathJax.startup.promise")
    slides = page.locator("section")
    count = slides.count()
    assert count > 20
    assert not outside
    assert "\\(" not in page.locator("body").inner_text()
    heights = page.evaluate("[...document.querySelectorAll('section')].map(s => s.scrollHeight)")
    assert max(heights) <= WIDE["height"], f"slide {heights.index(max(heights)) + 1} is too tall"
    for link in page.locator("footer a").all():
        name, _, anchor = link.get_attribute("href").partition("#")
        assert f'id="{anchor}"' in (site / name).read_text()
    forward = [("ArrowRight", 2), ("Space", 3), ("End", count), ("ArrowDown", count)]
    for key, shown in [*forward, ("ArrowLeft", count - 1), ("Home", 1), ("PageUp", 1)]:
        page.keyboard.press(key)
        page.wait_for_function(
            f"Math.abs(document.getElementById('{shown}').getBoundingClientRect().top) < 2"
        )
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == count
    page.set_viewport_size({"width": 375, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.close()


def test_the_teaching_page_links_to_the_slides(site):
    assert 'href="../slides.html"' in (site / "book/teaching.html").read_text()
