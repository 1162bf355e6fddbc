"""Every built page in a browser without a network: links, pictures, contrast, width, weight."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[1]
AXE = (ROOT / "tests/vendor/axe-core/axe.min.js").read_text(encoding="utf-8")
NARROW, WIDE = 375, 1280  # pixels: a telephone, a laptop
MOST = 1_500_000  # bytes of a page and its pictures
HEAVY = {"notebooks/demo"}  # carries the models it computes with
MADE = ["slides", "404", "genindex", "search"]  # pages that the build adds
GRAVE = "serious", "critical"
# docutils makes a list of entries with the role doc-biblioentry. ARIA 1.2 has them as list items
# and axe does not; the markup cannot be set.
ALLOWED = {("aria-required-children", '<div role="list" class="citation-list">')}
STILL = "*, *::before, *::after { transition: none !important; }"  # no colours half way
# What axe need not do: fetch style sheets, list what passes.
RUN = "axe.run({preload: false, resultTypes: ['violations']%s})"


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


def violations(found: dict) -> Iterable[str]:
    """What axe calls serious or critical, a line per place."""
    for rule in found["violations"]:
        if rule["impact"] in GRAVE:
            for node in rule["nodes"]:
                if (rule["id"], node["html"]) in ALLOWED:
                    continue
                yield f"{rule['id']}: {node['html'][:160]} ({node['failureSummary'][:200]})"


@pytest.mark.parametrize("name", book_pages())
def test_links_pictures_and_weight(site, name):
    page = (site / f"{name}.html").resolve()
    assert not broken_links(site, page)
    assert not poor_texts(page)
    assert name in HEAVY or weight(page) < MOST


@pytest.mark.parametrize("name", book_pages())
def test_a_page_in_a_browser_without_network(browser, site, name):
    page = browser.new_page(viewport={"width": WIDE, "height": 900}, color_scheme="light")
    outside, errors = [], []

    def gate(route):
        if route.request.url.startswith(("file:", "data:", "blob:")):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    page.route("**/*", gate)
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: errors.append(str(e)))
    try:
        page.goto((site / f"{name}.html").as_uri())
        page.evaluate("() => window.MathJax?.startup?.promise")
        raw = page.locator("body").inner_text()
        page.add_style_tag(content=STILL)
        page.evaluate(AXE)
        poor = list(violations(page.evaluate(RUN % "")))
        page.emulate_media(color_scheme="dark")  # the page follows the reader's colours
        if name not in {"slides", "404"}:  # which follow them by style alone
            page.wait_for_function("document.documentElement.dataset.theme == 'dark'")
        dark = list(violations(page.evaluate(RUN % ", runOnly: ['color-contrast']")))
        page.set_viewport_size({"width": NARROW, "height": 800})
        too_wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    finally:
        page.close()
    assert not outside, f"{name} asks for {outside[:3]}"
    assert not errors, f"{name} logs {errors[:3]}"
    assert "\\(" not in raw, f"{name} shows mathematics that was not typeset"
    assert not poor, "\n".join(poor)
    assert not dark, "in dark mode:\n" + "\n".join(dark)
    assert too_wide <= 1, f"{name} is {too_wide} px wider than a screen of {NARROW} px"
