"""A published book: what its address decides, and that nothing shows without one."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from celsa_lib.book.publish import PDF, address, configure, publish
from celsa_lib.errors import ConfigError

WORKFLOWS = Path(__file__).parents[1] / ".github/workflows"


@pytest.fixture
def book(tmp_path):
    """A folder with a configuration that names a repository, or "" for none."""

    def with_url(url: str):
        config = {"title": "é", "repository": {"url": url, "branch": "main"}, "html": {}}
        config["parse"] = {"myst_substitutions": {}}
        config["sphinx"] = {"config": {"html_theme_options": {"show_navbar_depth": 1}}}
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


@pytest.mark.parametrize("base", ["", "https://some.github.io/book/"])
def test_site_map_and_card(tmp_path, book, base):
    page = tmp_path / "a.html"
    page.write_text("<html><head></head><body></body></html>")
    publish(tmp_path, ["a"], book("https://github.com/some/book" if base else ""))
    assert f'href="{base}index.html"' in (tmp_path / "404.html").read_text()
    assert ("og:image" in page.read_text()) == bool(base)
    assert (tmp_path / "sitemap.xml").exists() == bool(base)
    if base:
        found = [element.text for element in ET.parse(tmp_path / "sitemap.xml").iter()]
        assert f"{base}a.html" in found


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
