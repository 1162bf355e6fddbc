"""Slides: the passages that pages mark as such, in reading order, as one page of their own."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader

from celsa_lib.files import write_whole

SLIDE_MARKS = "article .slide, article .tag_slide"  # a {div} in a page, a tag on a notebook's cell
NAME = "slides.html"


def write_slides(html: Path, pages: list[str]) -> Path:
    """slides.html in the folder `html` of built pages, from the marks in `pages` (no suffix)."""
    slides = [slide for page in pages for slide in slides_of(html, page)]
    templates = Environment(loader=PackageLoader("celsa_lib.book"), autoescape=True)
    text = templates.get_template(f"{NAME}.jinja").render(slides=slides)
    return write_whole(html / NAME, lambda file: file.write(text.encode()))


def slides_of(html: Path, page: str) -> list[dict]:
    """chapter, title, body (HTML of the book itself) and href of each marked passage of a page."""
    from bs4 import BeautifulSoup  # comes with the book's theme

    soup = BeautifulSoup((html / f"{page}.html").read_text(encoding="utf-8"), "html.parser")
    found, chapter = [], _heading(soup.article)
    for mark in soup.select(SLIDE_MARKS):
        body = mark.select_one(".cell_output") if "tag_slide" in mark["class"] else mark
        if body is None:  # a notebook that has not been run
            continue
        section = mark.find_parent("section")
        href = f"{page}.html#{section['id']}"
        _fit(body, page)
        slide = {"title": _heading(section), "body": body.decode_contents(), "href": href}
        found.append({"chapter": chapter} | slide)
    return found


def _heading(part) -> str:
    """The first heading of a part of a page, without its permalink."""
    return part.find(["h1", "h2", "h3"]).get_text().rstrip("#")


def _fit(body, page: str) -> None:
    """Make a passage of `page` stand alone: paths from the top folder, no ids, no permalinks."""
    for link in body.select("a.headerlink"):
        link.decompose()
    for tag in body.find_all(True):
        tag.attrs.pop("id", None)
        for name in {"src", "href"} & set(tag.attrs):
            tag[name] = from_top(tag[name], page)


def from_top(url: str, page: str) -> str:
    """A link of `page` as seen from the top folder; absolute ones stay."""
    if urlsplit(url).scheme:
        return url
    if url.startswith("#"):
        return f"{page}.html{url}"
    return os.path.normpath(os.path.join(os.path.dirname(page), url))
