"""Every built page in a browser without a network: links, pictures, contrast, width, weight."""

import json
import re
import threading
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from axe import AXE, RUN, violations
from bs4 import BeautifulSoup
from conftest import every_notebook

from celsa_lib.book import book_server, served_at

ROOT = Path(__file__).parents[1]
NARROW, WIDE = 375, 1280  # pixels: a telephone, a laptop
MOST = 1_500_000  # bytes of a page and its pictures
HEAVY = {"notebooks/demo", "notebooks/demo_films"}  # carry the models they compute with
MADE = ["slides", "genindex", "search"]  # pages that the build adds
STILL = "*, *::before, *::after { transition: none !important; }"  # no colours half way
OWN = "file:", "data:", "blob:", "about:"
THEME = "document.documentElement.dataset.theme"


def book_pages() -> list[str]:
    """Every page that a reader can reach, without its suffix."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"]), *MADE]


@cache
def parsed(page: Path) -> BeautifulSoup:
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


@cache
def anchors(page: Path) -> set[str]:
    """What a link may name in a page after its #."""
    named = [tag.get(key) for key in ("id", "name") for tag in parsed(page).find_all(**{key: True})]
    return {"", "top", *named}


def broken_links(site: Path, page: Path) -> list[str]:
    """Links of `page` to a file or an anchor of the book that is not there."""
    found = []
    for link in parsed(page).find_all("a", href=True):
        url = urlsplit(link["href"])
        if url.scheme or url.netloc:
            continue
        target = (page.parent / unquote(url.path)).resolve() if url.path else page
        inside = target.is_file() and target.is_relative_to(site.resolve())
        known = anchors(target) if inside and target.suffix == ".html" else {url.fragment}
        if not inside or unquote(url.fragment) not in known:
            found.append(link["href"])
    return found


def poor_texts(page: Path) -> list[str]:
    """Pictures whose alternative text is missing, a file's name, or too short to say anything."""
    texts = [(picture, picture.get("alt", "").strip()) for picture in parsed(page).find_all("img")]
    return [
        f"{picture.get('src', '')[:60]}: {text!r}"
        for picture, text in texts
        if len(text) < 8 or re.search(r"\.(png|svg|jpe?g|gif)$|^_images", text)
    ]


def weight(page: Path) -> int:
    """Bytes of a page and its own pictures; scripts and fonts, the same on all, load once."""
    sources = (picture.get("src", "") for picture in parsed(page).find_all("img"))
    files = {page.parent / source for source in sources if not urlsplit(source).scheme}
    return page.stat().st_size + sum(file.stat().st_size for file in files)


@pytest.mark.parametrize("name", every_notebook(book_pages(), "notebooks/"))
def test_links_pictures_and_weight(site, name):
    page = (site / f"{name}.html").resolve()
    assert not broken_links(site, page)
    assert not poor_texts(page)
    assert name in HEAVY or weight(page) < MOST


@pytest.fixture(scope="module")
def tab(browser):
    """One page of the browser for all, without a network: a new one for each is slow to start.

    `outside` and `errors` are what it asked for and logged since they were cleared.
    """
    page = browser.new_page()
    page.context.set_offline(True)
    page.outside, page.errors = [], []
    page.on("request", lambda r: None if r.url.startswith(OWN) else page.outside.append(r.url))
    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: page.errors.append(str(e)))
    yield page
    page.close()


def faults(tab, page: Path, themed: bool = True) -> dict[str, list[str]]:
    """What is wrong with a page, by what it is; opened as if no other had been there before.

    Contrast and structure in light colours on a wide screen, contrast in dark ones, then narrow.
    `themed`: the book's theme, by script, follows the reader's colours.
    """
    tab.goto("about:blank")
    tab.outside.clear()
    tab.errors.clear()
    tab.emulate_media(color_scheme="light")
    tab.set_viewport_size({"width": WIDE, "height": 900})
    tab.goto(page.as_uri())
    tab.evaluate("() => window.MathJax?.startup?.promise")
    raw = tab.locator("body").inner_text()
    tab.add_style_tag(content=STILL)
    tab.evaluate(AXE)
    if themed:
        tab.wait_for_function(f"{THEME} == 'light'")
    light = list(violations(tab.evaluate(RUN % "")))
    tab.emulate_media(color_scheme="dark")
    if themed:
        tab.wait_for_function(f"{THEME} == 'dark'")
    dark = list(violations(tab.evaluate(RUN % ", runOnly: ['color-contrast']")))
    tab.set_viewport_size({"width": NARROW, "height": 800})
    too_wide = tab.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    return {
        "asks for": list(tab.outside),
        "logs": list(tab.errors),
        "mathematics not typeset": re.findall(r"\\\(.{,40}", raw),
        "poor in light colours": light,
        "poor in dark colours": dark,
        f"wider than {NARROW} px by": [f"{too_wide} px"] if too_wide > 1 else [],
    }


@pytest.mark.parametrize("name", every_notebook(book_pages(), "notebooks/"))
def test_a_page_in_a_browser_without_network(tab, site, name):
    found = faults(tab, site / f"{name}.html", themed=name != "slides")
    wrong = {what: places for what, places in found.items() if places}
    assert not wrong, f"{name}: {wrong}"


def test_every_kind_of_fault_is_found(tab, tmp_path):
    page = tmp_path / "poor.html"
    style = "p { color: #000; background: #fff; width: 900px }"
    style += "@media (prefers-color-scheme: dark) { p { color: #ddd } }"
    page.write_text(
        f"<html><title>Poor</title><style>{style}</style>"
        "<p>too wide, \\(x\\)<img src='https://example.org/a.png'></p>"
    )
    found = faults(tab, page, themed=False)
    assert all(found.values()), found
    assert found["asks for"] == ["https://example.org/a.png"]
    assert "color-contrast" in found["poor in dark colours"][0]
    page.write_text("<html lang='en'><title>Good</title><h1>Good</h1>")
    assert not any(faults(tab, page, themed=False).values())  # nothing is left of the page before


@pytest.mark.parametrize("stem", every_notebook())
def test_a_notebook_shows_what_it_computed(site, stem):
    assert parsed(site / f"notebooks/{stem}.html").select(".cell_output")


def test_the_claims_are_all_on_their_page(site):
    claims = json.loads((ROOT / "results/claims.json").read_text())["claims"]
    rows = parsed(site / "notebooks/claims.html").select("table.celsa-claims tbody tr")
    assert len(rows) == len(claims) > 0


def test_the_demo_recommends_on_its_page(tab, site):
    tab.goto((site / "notebooks/demo.html").as_uri())
    tab.locator("#celsa-demo [data-part=personas] button").first.click()
    assert tab.locator("#celsa-demo [data-part=list] > li").count() > 5


def test_sqlite_answers_on_its_page_where_it_is_served_and_says_so_where_not(browser, tab, site):
    tab.goto((site / "notebooks/serving.html").as_uri())
    tab.locator("#celsa-table [data-part=run]").click()
    tab.get_by_text("celsa book --serve").wait_for()
    with book_server(site, port=0) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        page = browser.new_page()
        page.goto(f"{served_at(server)}notebooks/serving.html")
        page.locator("#celsa-table [data-part=run]").click()
        page.get_by_text("10 rows. The same list as the library’s.").wait_for()
        page.close()
        server.shutdown()
