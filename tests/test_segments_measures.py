"""Measures of segments, against hand-computed cases and naive loops."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.segments import Label, Segmentation
from celsa_lib.segments.grouping import members_of
from celsa_lib.segments.measures import (
    agreement,
    alignment,
    genre_jaccard,
    genre_npmi,
    kmeans_groups,
    main_term,
    random_groups,
    stability,
    vector_cosine,
)
from celsa_lib.segments.naming.terms import genres_of

WRITTEN = ["a|b", "a|b|c", "c", "", "d|c", "d"]
ITEMS = pd.DataFrame({"title": list("uvwxyz"), "genres": WRITTEN})
GENRES = genres_of(ITEMS, least=1, most=1.0)
MEMBERS = [np.array([0, 1, 2]), np.array([3]), np.array([4, 5])]


def test_genre_jaccard_by_hand():
    idf = dict(zip(GENRES.names, GENRES.idf, strict=True))
    assert idf == pytest.approx({"a": np.log(3), "b": np.log(3), "c": np.log(2), "d": np.log(3)})
    ab, c = 2 * np.log(3), np.log(2)
    found = genre_jaccard(MEMBERS, GENRES)
    first = ab / (ab + c) + 0 + c / (ab + c)
    second = np.log(3) / (np.log(3) + c)
    assert found.sums == pytest.approx([first, second])
    assert found.pairs.tolist() == [3, 1]
    assert found.mean().value == pytest.approx((first + second) / 4)


def test_a_large_group_is_compared_in_parts(monkeypatch):
    whole = genre_jaccard([np.arange(6)], GENRES).sums
    monkeypatch.setattr("celsa_lib.segments.measures.coherence.ITEMS_AT_ONCE", 2)
    assert genre_jaccard([np.arange(6)], GENRES).sums == pytest.approx(whole)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sets(st.sampled_from("abcde")), min_size=2, max_size=9), st.data())
def test_genre_jaccard_like_a_loop(genres, data):
    items = pd.DataFrame({"title": "t", "genres": ["|".join(sorted(s)) for s in genres]})
    terms = genres_of(items, least=1, most=1.0)
    groups = data.draw(st.lists(st.integers(0, 2), min_size=len(items), max_size=len(items)))
    members = members_of(np.array(groups), 3)
    idf = dict(zip(terms.names, terms.idf, strict=True))
    expected = []
    for group in members:
        if len(group) < 2:
            continue
        total = 0.0
        for i, j in combinations(group, 2):
            union = sum(idf[s] for s in genres[i] | genres[j])
            total += sum(idf[s] for s in genres[i] & genres[j]) / union if union else 0.0
        expected.append(total)
    assert genre_jaccard(members, terms).sums == pytest.approx(np.array(expected))


def test_npmi_of_tags_that_always_or_never_meet():
    always = genres_of(pd.DataFrame({"title": "t", "genres": ["a|b", "a|b", "c", "d"]}), 1, 1.0)
    assert genre_npmi([np.array([0, 1])], always).mean().value == pytest.approx(1)
    never = genre_npmi([np.array([2, 3])], always)
    assert never.mean().value == pytest.approx(-1)


def test_cosine_like_a_loop():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(6, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = vector_cosine(MEMBERS, vectors)
    expected = [sum(vectors[i] @ vectors[j] for i, j in combinations(m, 2)) for m in MEMBERS]
    assert found.sums == pytest.approx([expected[0], expected[2]])


def test_agreement_by_hand():
    found = agreement(np.array([0, 0, 1, 1]), np.array([5, 5, 5, 7]))
    assert found["groups"] == 2
    assert found["purity"] == 0.75
    assert agreement(np.array([0, 0, 1]), np.array([3, 3, 0]))["ari"] == 1
    with pytest.raises(cl.CelsaError, match="no items to compare"):
        agreement(np.array([]), np.array([]))


def test_stability_of_equal_and_of_unrelated_groupings():
    one = np.array([0, 0, 1, 1, 2, 2])
    assert stability([one, 2 - one]) == {"ari": 1.0, "ami": 1.0}
    rng = np.random.default_rng(0)
    unrelated = [rng.integers(20, size=2000) for _ in range(3)]
    assert stability(unrelated)["ami"] == pytest.approx(0, abs=0.02)


def test_the_rarest_genre_of_an_item():
    names = [GENRES.names[i] if i >= 0 else None for i in main_term(GENRES)]
    assert names == ["a", "a", "c", None, "d", "d"]


def test_random_groups_keep_the_sizes():
    groups = np.array([0, 0, 0, 1, 2, 2])
    assert np.bincount(random_groups(groups)).tolist() == [3, 1, 2]


def test_kmeans_finds_far_apart_blocks():
    rows = np.repeat(np.eye(3), 4, axis=0) + 0.01
    found = kmeans_groups(cl.ItemEmbeddings(csr_matrix(rows)), 3)
    assert agreement(np.repeat(np.arange(3), 4), found)["groups"] <= 3


class TestAlignment:
    """Four items, two segments {0, 1} and {2, 3}; latents are the segments."""

    @pytest.fixture
    def segmentation(self) -> Segmentation:
        rows = csr_matrix(np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32))
        labels = [Label("One", "test"), Label("Two", "test")]
        return Segmentation(cl.ItemEmbeddings(rows), np.array([0, 0, 1, 1]), labels, list("abcd"))

    def test_by_hand(self, segmentation):
        given_ = csr_matrix(np.array([[1, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]], np.float32))
        target = csr_matrix(np.array([[0, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]], np.float32))
        popularity = np.array([1.0, 2.0, 3.0, 4.0])
        found = alignment(segmentation, [(given_, target)], popularity, k=1, n=1)
        assert found.index.tolist() == [0, 1]  # the third user has nothing held out
        assert found["recommended"].tolist() == [1.0, 0.5]
        assert found["history"].tolist() == [1.0, 0.5]
        assert found["popular"].tolist() == [0.0, 0.5]  # {2, 3} has more interactions
        assert found["random"].tolist() == [0.5, 0.5]
        assert found["by popularity"].tolist() == pytest.approx([2 / 9, 4 / 7])
        assert found["top recommended"].tolist() == [1.0, 1.0]
        assert found["signs"].tolist() == [1.0, 1.0]
        assert found["signs random"].tolist() == [0.5, 0.5]
