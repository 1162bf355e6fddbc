"""The book: consistent with the code, built without a warning, readable without a network."""

import importlib
import re
import shutil
from pathlib import Path

import pytest
import yaml

from celsa_lib.book.build import build_html, copy_sources

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "book").glob("*.md"))
NARROW, WIDE = 375, 1280  # pixels: a telephone, a laptop


def toc_files() -> list[str]:
    """Every page of the book, as _toc.yml names it."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]


def has_source(name: str) -> bool:
    return any((ROOT / f"{name}{suffix}").exists() for suffix in (".md", ".ipynb"))


@pytest.mark.parametrize("name", toc_files())
def test_every_page_of_the_contents_exists(name):
    assert has_source(name), f"_toc.yml names {name}, and there is no such page"


def test_every_page_is_in_the_contents():
    assert {f"book/{page.stem}" for page in PAGES} <= set(toc_files())


def test_every_citation_has_an_entry():
    entries = set(re.findall(r"^@\w+\{(\S+),", (ROOT / "book/references.bib").read_text(), re.M))
    for page in PAGES:
        cited = ",".join(re.findall(r"\{cite\}`([^`]+)`", page.read_text()))
        missing = {key.strip() for key in cited.split(",") if key} - entries
        assert not missing, f"{page.name} cites {missing}, not in references.bib"


def test_the_configuration_names_no_other_host():
    config = (ROOT / "_config.yml").read_text()
    assert not re.search(r"https?://|//cdn", config)
    script = yaml.safe_load(config)["sphinx"]["config"]["mathjax_path"]
    assert (ROOT / "book/assets/_static" / script).exists()
    assert (ROOT / "book/assets/_static" / script).with_name("LICENSE").exists()


def named_in_code(page: Path) -> list[str]:
    """The dotted names of celsa_lib that a page gives."""
    return sorted(set(re.findall(r"\bcelsa_lib(?:\.\w+)+", page.read_text())))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_every_function_that_a_page_names_exists(page):
    for name in named_in_code(page):
        assert resolves(name), f"{page.name} names {name}, which celsa_lib does not have"


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute reached from one."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_the_method_page_numbers_its_equations():
    text = (ROOT / "book/method.md").read_text()
    assert text.count("```{math}") == len(re.findall(r"^:label: ", text, re.M))


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The HTML of the book, built strictly; notebooks as they were run last, or not yet run."""
    folder = tmp_path_factory.mktemp("book")
    source = folder / "source"
    copy_sources(ROOT, source)
    (source / "notebooks").mkdir()
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        run = ROOT / "build/book/notebooks" / notebook.name
        is_fresh = run.exists() and run.stat().st_mtime >= notebook.stat().st_mtime
        shutil.copy(run if is_fresh else notebook, source / "notebooks" / notebook.name)
    return build_html(folder, source).parent


def test_the_book_builds_strictly(site):
    assert (site / "index.html").exists()
    for name in toc_files():
        assert (site / f"{name}.html").exists()


def test_no_page_loads_from_another_host(site):
    for page in site.rglob("*.html"):
        outside = re.findall(
            r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"(?:https?:)?//[^\"]+"
            r"|<link\b[^>]*\bhref=\"(?:https?:)?//[^\"]+",
            page.read_text(),
        )
        assert not outside, f"{page.name}: {outside[:3]}"


@pytest.mark.parametrize("name", toc_files())
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
        raw = page.locator("article").inner_text()
        page.set_viewport_size({"width": NARROW, "height": 800})
        too_wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        for scheme in ("dark", "light"):  # the page follows the reader's colours
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function(f"document.documentElement.dataset.theme == '{scheme}'")
    finally:
        page.close()
    assert not outside, f"{name} asks for {outside[:3]}"
    assert not errors, f"{name} logs {errors[:3]}"
    assert "\\(" not in raw, f"{name} shows mathematics that was not typeset"
    assert too_wide <= 1, f"{name} is {too_wide} px wider than a screen of {NARROW} px"
