"""A published book: what its address decides, and that nothing shows without one."""

import shutil
import threading
import xml.etree.ElementTree as ET
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
import yaml
from axe import AXE, RUN, violations
from bs4 import BeautifulSoup

from celsa_lib.book.build import build_html
from celsa_lib.book.colab import BRANCH
from celsa_lib.book.publish import PDF, address, configure
from celsa_lib.errors import ConfigError

ROOT = Path(__file__).parents[1]
WORKFLOWS = ROOT / ".github/workflows"
URL, BASE = "https://github.com/some/book", "https://some.github.io/book/"


@pytest.fixture
def book(tmp_path):
    """A folder with a configuration that names a repository, or "" for none."""

    def with_url(url: str):
        config = {"title": "é", "repository": {"url": url, "branch": "main"}, "html": {}}
        config["parse"] = {"myst_substitutions": {}}
        config["sphinx"] = {
            "config": {"extensions": [], "html_theme_options": {"show_navbar_depth": 1}}
        }
        (tmp_path / "_config.yml").write_text(yaml.safe_dump(config))
        return tmp_path

    return with_url


def test_the_address_follows_from_the_repository(book):
    for url in ("https://github.com/Some/book.git", "https://github.com/Some/book/"):
        assert address(book(url)) == "https://some.github.io/book/"
    assert address(book("")) == ""
    with pytest.raises(ConfigError, match="like https://github.com/owner/name"):
        address(book("https://example.org/a/b"))


def test_buttons_appear_with_an_address_only(book):
    before = (book("") / "_config.yml").read_text()
    configure(book(""))
    assert (book("") / "_config.yml").read_text() == before
    folder = book("https://github.com/some/book")
    configure(folder)
    config = yaml.safe_load((folder / "_config.yml").read_text())
    assert config["html"]["baseurl"] == "https://some.github.io/book/"
    options = config["sphinx"]["config"]["html_theme_options"]
    assert set(options["launch_buttons"]) == {"binderhub_url", "colab_url"}
    assert options["show_navbar_depth"] == 1
    assert options["repository_url"] == "https://github.com/some/book"
    assert config["title"] == "é"
    link = config["parse"]["myst_substitutions"]["on_paper"]
    assert link.endswith("(https://some.github.io/book/celsa.pdf)")


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """The HTML of a strict build with our configuration, one page and one notebook."""
    root = tmp_path_factory.mktemp("published")
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    config["repository"]["url"] = f"{URL}.git"
    (root / "_config.yml").write_text(yaml.safe_dump(config))
    toc = {"format": "jb-book", "root": "book/intro", "chapters": [{"file": "notebooks/one"}]}
    (root / "_toc.yml").write_text(yaml.safe_dump(toc))
    shutil.copytree(ROOT / "book", root / "book")
    (root / "book/intro.md").write_text("# First\n\nHow *small* can vectors be?\n")
    (root / "results").symlink_to(ROOT / "results")
    cells = [nbformat.v4.new_markdown_cell("# One\n\nA notebook."), nbformat.v4.new_code_cell("1")]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})
    (root / "build/book/notebooks").mkdir(parents=True)
    nbformat.write(notebook, root / "build/book/notebooks/one.ipynb")
    shutil.copy(ROOT / "results/claims.json", root / "build")
    return build_html(root).parent


def meta(page: Path) -> dict[str, str]:
    """What a page says of itself, by the name of its tag."""
    tags = BeautifulSoup(page.read_text(), "html.parser").find_all("meta", content=True)
    return {tag.get("property") or tag.get("name"): tag["content"] for tag in tags}


def test_the_site_map_lists_the_pages_of_the_contents(published):
    found = [element.text for element in ET.parse(published / "sitemap.xml").iter()]
    assert {text for text in found if text} == {
        f"{BASE}book/intro.html",
        f"{BASE}notebooks/one.html",
    }


def test_each_page_has_a_card_of_its_own_and_one_picture(published):
    first, notebook = meta(published / "book/intro.html"), meta(published / "notebooks/one.html")
    assert first["og:title"] == "First" and notebook["og:title"] == "One"
    assert first["og:description"] == first["description"] == "How small can vectors be?"
    assert notebook["og:url"] == f"{BASE}notebooks/one.html"
    for page in (first, notebook):
        assert page["og:site_name"] == "Sparse item embeddings"
        assert page["twitter:card"] == "summary_large_image"
        assert (published / page["og:image"].removeprefix(BASE)).read_bytes().startswith(b"\x89PNG")


def test_the_button_of_a_notebook_leads_to_its_copy(published):
    page = BeautifulSoup((published / "notebooks/one.html").read_text(), "html.parser")
    links = {a["href"] for a in page.select(".dropdown-launch-buttons a")}
    assert links == {
        "https://mybinder.org/v2/gh/some/book/main?urlpath=tree/notebooks/one.ipynb",
        f"https://colab.research.google.com/github/some/book/blob/{BRANCH}/notebooks/one.ipynb",
    }
    assert URL in (published / "_sources/notebooks/one.ipynb").read_text()


@pytest.fixture
def pages_host(published):
    """A server like GitHub Pages: the book below /book/, 404.html for what is not there."""

    class Handler(SimpleHTTPRequestHandler):
        def translate_path(self, path):
            inside = urlsplit(path).path.removeprefix("/book/")
            return str(published / inside)

        def send_error(self, code, *args):
            self.send_response(code)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write((published / "404.html").read_bytes())

        def log_message(self, *args):
            """Keep the output of the tests quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def test_a_lost_reader_finds_the_way(browser, pages_host):
    page = browser.new_page()
    answers = []
    page.on("response", lambda answer: answers.append((answer.url, answer.status)))
    lost = f"{pages_host}/book/notebooks/old/name.html"
    page.goto(lost)
    page.emulate_media(color_scheme="light")
    assert page.title().startswith("Page not found")
    assert [answer for answer in answers if answer[1] != 200] == [(lost, 404)]
    assert all(url.startswith(pages_host) for url, _ in answers)
    page.evaluate(AXE)
    assert not list(violations(page.evaluate(RUN % "")))
    links = page.locator("a[href]").evaluate_all("links => links.map(link => link.href)")
    inside = {link for link in links if link.startswith(f"{pages_host}/book/") and "#" not in link}
    assert len(inside) > 2 and all(page.request.get(link).ok for link in inside)
    page.get_by_role("link", name="first page", exact=True).click()
    page.wait_for_url("**/book/intro.html")
    page.close()


def test_the_workflow_waits_for_the_tests_of_main():
    publishing, testing = (
        yaml.load((WORKFLOWS / f"{name}.yml").read_text(), yaml.BaseLoader)  # "on" is no boolean
        for name in ("publish", "test")
    )
    assert set(publishing["on"]) == {"workflow_run", "workflow_dispatch"}
    awaited = publishing["on"]["workflow_run"]
    assert awaited["workflows"] == [testing["name"]] and awaited["branches"] == ["main"]
    job = publishing["jobs"]["publish"]
    assert "conclusion == 'success'" in job["if"]
    assert any(f"cp build/{PDF} build/_build/html/" == step.get("run") for step in job["steps"])
