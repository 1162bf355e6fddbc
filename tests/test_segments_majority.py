"""Names that half of the members bear out, a number of groups, and which segments are shown."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.errors import ConfigError
from celsa_lib.segments import (
    Label,
    MajorityDescriber,
    Segmentation,
    group_embeddings,
    in_shown_segments,
    shown_segments,
)

CHRISTIE, SAYERS, ROWLING = "Agatha Christie", "Dorothy L. Sayers", "J.K. Rowling"


def named(books: list[tuple[str, str]], n_others: int = 40) -> str:
    """The name of a group of (title, author) in a catalogue with other books."""
    others = [(f"Title{'abcdefghij'[i % 10]} {i}", f"Writer {i}") for i in range(n_others)]
    items = pd.DataFrame(books + others, columns=["title", "authors"])
    (label,) = MajorityDescriber("Books").describe([np.arange(len(books))], items)
    return label.text


def test_an_author_of_half_of_the_members():
    assert named([("One", CHRISTIE), ("Two", CHRISTIE), ("Three", "A"), ("Four", "B")]) == CHRISTIE
    assert named([("One", CHRISTIE), ("Two", "C"), ("Three", "A"), ("Four", "B")]) == "Books"


def test_a_series_says_more_than_a_word():
    books = [
        (f"Harry {i} (Harry Potter, #{i})", ROWLING if i < 3 else "Other") for i in range(1, 5)
    ]
    assert named(books) == "Harry Potter"


def test_two_authors_who_wrote_half_between_them():
    books = [("One", CHRISTIE), ("Two", CHRISTIE), ("Three", SAYERS), ("Four", SAYERS)]
    others = [("Five", "A"), ("Six", "B"), ("Seven", "C"), ("Eight", "D")]
    assert named(books + others) == f"{CHRISTIE} & {SAYERS}"
    assert named([*books, *others, ("Nine", "E")]) == "Books"


def test_a_word_that_three_titles_share():
    assert named([("Gone Girl", "A"), ("Good Girl", "B"), ("No", "C")]) == "Books"  # only two
    books = [("Gone Girl", "A"), ("Good Girl", "B"), ("Last Girl", "C"), ("No", "D")]
    assert named(books) == "Girl"


@pytest.fixture
def anchored() -> cl.ItemEmbeddings:
    """Items 0, 1, 2 and 3, 4, 5 are alike; each has a latent of its own."""
    rows = np.eye(6, dtype=np.float32)
    rows[[1, 2], 0] = rows[[4, 5], 3] = 0.9
    return cl.ItemEmbeddings(csr_matrix(rows), np.arange(6))


def test_as_many_groups_as_asked_for(anchored):
    assert [len(group_embeddings(anchored, n)) for n in (2, 4)] == [2, 4]
    items = pd.DataFrame({"title": list("abcdef"), "authors": list("uvwxyz")})
    found = cl.segment_items(anchored, items, describer=MajorityDescriber("Books"), n_groups=2)
    assert [label.text for label in found.labels] == ["Books like a", "Books like d"]
    with pytest.raises(ConfigError, match="n_groups"):
        cl.segment_items(anchored, items, n_groups=0)


def test_a_segment_with_too_few_unseen_items_gives_way(anchored):
    labels = [Label("first", "hand"), Label("second", "hand")]
    segmentation = Segmentation(
        anchored, np.array([0, 0, 0, 1, 1, 1]), labels, np.array(list("abcdef"))
    )
    x = csr_matrix(np.array([[1, 1, 0, 1, 0, 0]], np.float32))
    assert shown_segments(segmentation, x, 2)[0].tolist() == [0, 1]
    assert shown_segments(segmentation, x, 2, least=2)[0].tolist() == [1]
    assert segmentation.rows(x, 2, 5, least=2)["title"].tolist() == ["e", "f"]
    assert in_shown_segments(segmentation, x, 2, 3, least=1) == 3
    assert in_shown_segments(segmentation, x, 2, 3, least=2) == 2
