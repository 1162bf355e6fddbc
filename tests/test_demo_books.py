"""The demo of books: rows that come with the library, steered, side by side, looked into."""

import re

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from celsa_lib import demo
from celsa_lib.demo import LISTED, book_personas, packed_words, personas_in_segments
from celsa_lib.demo.page import LEAST_UNSEEN, SHOWN_SEGMENTS
from celsa_lib.segments import segment_books, shown_segments
from celsa_lib.shipped import goodbooks_rows

NEAR = {"atol": 1e-5, "rtol": 1e-5}
MOST = 2_500_000  # bytes of the page: two models and the titles of 10,000 books
ENOUGH = 60  # of the 80 books of eight lists are in the segments that are shown


@pytest.fixture(scope="module")
def books():
    return goodbooks_rows()


@pytest.fixture(scope="module")
def html(books) -> str:
    return demo.books_demo(books).html


@pytest.fixture
def page(html, open_html):
    opened = open_html(html)
    yield opened
    assert not opened.trouble  # no error, no request


def picks_of(books, items) -> csr_matrix:
    ones = np.ones(len(items), np.float32), (np.zeros(len(items), int), items)
    return csr_matrix(ones, shape=(1, len(books.items)))


def test_the_page_is_small(html):
    assert len(html.encode()) < MOST
    assert "CC BY-SA 4.0" in html


def test_words_are_those_of_the_file(books):
    packed = books.packed[16]
    words = packed_words(packed)
    assert words["bits"] == 4 and words["rows"] == words["width"] == 10_000
    assert len(words["words"]["data"]) == pytest.approx(
        packed.bytes_per_item * 10_000 * 4 / 3, rel=1e-3
    )


def test_the_browser_reads_packed_rows_as_the_library_does(books, page):
    """Models stand smallest first."""
    for place, nnz in enumerate(sorted(books.packed)):
        for persona in book_personas(books.items)[:3]:
            x = picks_of(books, persona.items)
            given = np.array(
                page.evaluate("([p, k]) => celsaDemo.scores(p, k)", [persona.items, place])
            )
            np.testing.assert_allclose(given, books.packed[nnz].score(x)[0], **NEAR)
            best = page.evaluate("([p, k]) => celsaDemo.best(p, k, 20)", [persona.items, place])
            np.testing.assert_allclose(
                given[best], books.packed[nnz].recommend(x, 20)[1][0], **NEAR
            )


def test_a_knob_adds_what_it_says(books, page):
    """(x·A + t·strongest·b)·Aᵀ − own, b a row of B or one latent."""
    segmentation, persona = segment_books(books), book_personas(books.items)[2]
    x = picks_of(books, persona.items)
    rows = books.embeddings
    latents = rows.activations(x)[0].astype(float)
    score = shown_segments(segmentation, x, 5, LEAST_UNSEEN)[1][0]
    other, latent = 7, int(np.argmax(latents))
    knobs = [{"segment": other, "turn": 0.6}, {"latent": latent, "turn": -1}]
    steered = latents + 0.6 * float(score) * segmentation.matrix[other].toarray()[0]
    steered[latent] -= np.abs(latents).max()
    wanted = rows.matrix @ steered
    wanted[persona.items] -= rows.own_part[persona.items]
    given = page.evaluate("([p, t]) => celsaDemo.steered(p, 1, t)", [persona.items, knobs])
    np.testing.assert_allclose(given, wanted, rtol=1e-4, atol=1e-4)


def test_most_of_the_lists_are_in_the_shown_segments(books, page):
    """In the page as in the library."""
    table = personas_in_segments(books)
    held = []
    for place in range(len(table)):
        page.locator(".celsa-personas button").nth(place).click()
        said = page.locator("[data-part=share]").inner_text()
        held.append(int(re.match(r"(\d+) of these 10 are in the 5 segments", said)[1]))
        assert page.locator(".celsa-row").count() == SHOWN_SEGMENTS
        tiles = [row.locator("li").count() for row in page.locator(".celsa-row").all()]
        assert min(tiles) >= LEAST_UNSEEN
    assert held == table["in shown segments"].tolist()
    print(f"{sum(held)} of {LISTED * len(held)} in the shown segments")
    assert sum(held) >= ENOUGH


def test_a_slider_moves_both_lists_at_once(page):
    lists = [page.locator(f"[data-part={name}] .celsa-title") for name in ("list", "beside-list")]
    before = [one.all_inner_texts() for one in lists]
    assert all(len(titles) == LISTED for titles in before)
    knobs = page.locator(".celsa-knobs input")
    assert knobs.count() == 10
    label = page.locator(".celsa-knob").nth(4).inner_text()
    knobs.nth(4).focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.matches('.celsa-knobs input')")  # not made anew
    assert page.locator(".celsa-turn").nth(4).inner_text() == "+1"
    after = [one.all_inner_texts() for one in lists]
    assert all(old != new for old, new in zip(before, after, strict=True)), label
    page.get_by_role("button", name="All to 0").click()
    assert [one.all_inner_texts() for one in lists] == before


def test_the_second_list_is_of_the_other_size(books, page):
    note = page.locator("[data-part=beside-title]").inner_text()
    assert note.startswith("8 nonzeros per item") and "bytes" in note
    first = page.locator("[data-part=list] .celsa-title").all_inner_texts()
    second = page.locator("[data-part=beside-list] .celsa-title").all_inner_texts()
    both = int(page.locator("[data-part=both]").inner_text().split()[0])
    assert both == len(set(first) & set(second))
    page.locator("[data-part=beside]").select_option("")
    assert page.locator("[data-part=second]").is_hidden()
    page.get_by_label("Bytes per item").press("Home")
    page.locator("[data-part=beside]").select_option(index=1)
    assert page.locator("[data-part=beside-title]").inner_text().startswith("16 nonzeros")
    assert page.locator("[data-part=list] .celsa-title").all_inner_texts() == second


def test_the_explorer_shows_a_row_from_all_sides(books, page):
    (item,) = np.flatnonzero(
        books.items["title"] == "Murder on the Orient Express (Hercule Poirot, #10)"
    )
    page.locator("#celsa-demo-explore").fill("Murder on the Orient")
    page.keyboard.press("Enter")
    assert "Agatha Christie" in page.locator("[data-part=item]").inner_text()
    nearest = page.locator("[data-part=nearest] .celsa-name").all_inner_texts()
    items, cosines = books.embeddings.similar([int(item)], len(nearest))
    assert nearest == books.items["title"].iloc[items[0]].tolist()
    shown = page.locator("[data-part=nearest] .celsa-score").all_inner_texts()
    assert [float(cosine) for cosine in shown] == pytest.approx(cosines[0], abs=0.0051)
    row = books.embeddings.matrix[int(item)]
    assert page.locator("[data-part=row] li").count() == min(row.nnz, 24)
    label = segment_books(books).labels[segment_books(books).of_item[item]].text
    assert page.locator("[data-part=its-segment]").inner_text() == label
    page.locator("[data-part=row] .celsa-name").nth(1).click()
    latent = row.indices[np.argsort(-np.abs(row.data), kind="stable")[1]]
    column = books.embeddings.matrix[:, int(latent)]
    said = page.locator("[data-part=postings-size]").inner_text()
    assert said.startswith(f"In {column.nnz:,} of 10,000 rows")
    page.locator("[data-part=postings] .celsa-name").first.click()
    strongest = books.items["title"].iloc[int(np.argmax(np.abs(column.toarray().ravel())))]
    assert page.locator("[data-part=item]").inner_text().startswith(strongest[:20])


def test_a_drawn_chain_is_as_thick_as_its_shares(page):
    widths = [
        float(flow.get_attribute("stroke-width")) for flow in page.locator(".celsa-flow").all()
    ]
    lines = page.locator(".celsa-chain li").all_text_contents()
    shares = [float(re.search(r"\+([\d.]+) of", line)[1]) for line in lines]
    drawn = widths[::3]
    assert len(drawn) == len(shares) > 1 and drawn == sorted(drawn, reverse=True)
    assert np.corrcoef(drawn, shares)[0, 1] > 0.9


def test_every_name_is_borne_out_by_half_of_its_members(books):
    """A series or an author in the title or the authors; else the name says what is around."""
    segmentation = segment_books(books)
    titles, authors = (books.items[column].to_numpy() for column in ("title", "authors"))
    wrong = []
    for label, members in zip(segmentation.labels, segmentation.members, strict=True):
        name = label.text.split(" like ")[0]
        if name == "Books":
            continue
        parts = name.split(" & ") if not any(name in titles[i] for i in members) else [name]
        has = [
            any(p.lower() in f"{titles[i]} {authors[i]}".lower() for p in parts) for i in members
        ]
        if np.mean(has) < 0.5:
            wrong.append((label.text, np.mean(has)))
    assert not wrong


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_telephone_is_wide_enough(html, open_html, theme):
    page = open_html(html, width=375, color_scheme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
