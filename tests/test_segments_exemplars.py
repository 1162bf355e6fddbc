"""Segments of anchored rows: exemplars, what they gain, and who joins them."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.segments import Label, Segmentation, group_embeddings, group_items, nearest_exemplars
from celsa_lib.segments.exemplars import LEAST_GAIN, choose_exemplars, positive_cosines

# Items 0, 1, 2 hold latent 0, items 3 and 4 latent 3, item 5 nothing but its own.
ANCHORED = np.array(
    [
        [1.0, 0, 0, 0, 0, 0],
        [0.9, 1.0, 0, 0, 0, 0],
        [0.8, 0, 1.0, 0, 0, 0],
        [0, 0, 0, 1.0, 0, 0],
        [0, 0, 0, 0.7, 1.0, 0],
        [0, 0, 0, 0, 0, 1.0],
    ],
    dtype=np.float32,
)
UNEVEN = arrays(np.float64, (7, 7), elements=st.floats(-1, 1))


@pytest.fixture
def anchored() -> cl.ItemEmbeddings:
    return cl.ItemEmbeddings(csr_matrix(ANCHORED), np.arange(6))


def cosines(rows: np.ndarray) -> np.ndarray:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return np.maximum(unit @ unit.T, 0)


def greedy(similarity: np.ndarray, n_groups: int | None) -> list[int]:
    """Every gain computed anew at every choice."""
    best, chosen = np.zeros(len(similarity)), []
    while len(chosen) != n_groups:
        gains = np.maximum(similarity - best[:, None], 0).sum(axis=0).round(9)
        gains[chosen] = -1
        item = int(np.argmax(gains))
        if n_groups is None and gains[item] <= LEAST_GAIN:
            break
        chosen.append(item)
        best = np.maximum(best, similarity[:, item])
    return chosen


def total(similarity: np.ndarray, chosen) -> float:
    return similarity[:, list(chosen)].max(axis=1, initial=0.0).sum()  # 0 where none is chosen


def test_by_hand():
    """Item 0 brings 1 + 0.67 + 0.62, then item 3 brings 1 + 0.57; item 5 alone brings but 1."""
    assert nearest_exemplars(csr_matrix(ANCHORED)).tolist() == [0, 0, 0, 3, 3, 5]
    assert choose_exemplars(positive_cosines(csr_matrix(ANCHORED))).tolist() == [0, 3]
    assert nearest_exemplars(csr_matrix(ANCHORED), 1).tolist() == [0, 0, 0, 3, 4, 5]
    assert nearest_exemplars(csr_matrix(ANCHORED), 6).tolist() == [0, 1, 2, 3, 4, 5]


def test_by_dominant_latent_every_item_would_be_alone(anchored):
    assert len(group_items(anchored.matrix)) == 6
    groups = group_embeddings(anchored)
    assert groups.latents.tolist() == [0, 3, 5] and groups.signs.tolist() == [1, 1, 1]
    assert [members.tolist() for members in groups.members] == [[0, 1, 2], [3, 4], [5]]


def test_rows_that_are_not_anchored_are_grouped_as_in_the_paper():
    rows = cl.ItemEmbeddings(csr_matrix(np.array([[0.9, 0.1], [-0.8, 0], [0.7, 0]])))
    assert group_embeddings(rows).of_item.tolist() == group_items(rows.matrix).of_item.tolist()


def test_opposite_rows_do_not_join():
    rows = csr_matrix(np.array([[1.0, 0.5, 0], [1.0, 0.5, 0], [-1.0, 0, 0.1]]))
    assert nearest_exemplars(rows).tolist() == [0, 0, 2]


@settings(deadline=None)
@given(st.integers(0, 10**6), st.one_of(st.none(), st.integers(1, 7)))
def test_like_a_greedy_choice_without_a_queue(seed, n_groups):
    """And as good as is proved of one: of every choice of as many, at least 1 − 1/e of the best."""
    rng = np.random.default_rng(seed)
    rows = np.eye(7) + rng.uniform(-1, 1, (7, 7)) * (rng.random((7, 7)) < 0.3) * (1 - np.eye(7))
    rows += np.diag(rng.uniform(0, 0.1, 7))
    near = cosines(rows)
    ours = choose_exemplars(positive_cosines(csr_matrix(rows)), n_groups).tolist()
    naive = greedy(near, n_groups)
    if n_groups is None:  # of two items that are alone with each other either will do
        assert len(ours) == len(naive)
        assert total(near, ours) == pytest.approx(total(near, naive))
        return
    assert len(set(ours)) == n_groups
    assert total(near, ours) == pytest.approx(total(near, naive))
    best = max(total(near, chosen) for chosen in combinations(range(7), n_groups))
    assert (1 - 1 / np.e) * best <= total(near, ours) <= best + 1e-9


@settings(deadline=None)
@given(UNEVEN)
def test_every_item_joins_its_nearest_exemplar(noise):
    rows = np.eye(7) + noise * (np.abs(noise) > 0.5)
    rows[np.arange(7), np.arange(7)] = 1.0
    joined, near = nearest_exemplars(csr_matrix(rows)), cosines(rows)
    chosen = choose_exemplars(positive_cosines(csr_matrix(rows)))
    for item, exemplar in enumerate(joined):
        if exemplar in chosen:
            assert near[item, exemplar] == pytest.approx(near[item, chosen].max(), abs=1e-9)
        else:
            assert exemplar == item and not near[item, chosen].any()


def test_a_segment_has_the_latents_of_its_items(anchored):
    labels = [Label(name, "test") for name in "abc"]
    of_item = np.array([0, 0, 0, 1, 1, 2])
    segmentation = Segmentation(anchored, of_item, labels, list("uvwxyz"))
    expected = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 0, 1]])
    expected = expected / np.sqrt(expected.sum(axis=1, keepdims=True))
    assert np.allclose(segmentation.matrix.toarray(), expected)
    x = csr_matrix(np.array([[0, 0, 0, 0, 1.0, 0]], dtype=np.float32))
    assert segmentation.recommend(x, 1)[0].tolist() == [[1]]
    assert segmentation.explain(x, 3)[["latent", "segment", "owned"]].values.tolist() == [
        [3, "b", True]
    ]


def test_segment_items_puts_items_beside_their_exemplar(anchored):
    items = pd.DataFrame({"title": list("uvwxyz"), "genres": ["r"] * 3 + ["s"] * 2 + ["t"]})
    for tau in (None, 1.0):
        found = cl.segment_items(anchored, items, tau)
        assert found.of_item.tolist() == [0, 0, 0, 1, 1, 2]
        assert [label.text for label in found.labels] == ["R", "S", "T"]


def test_groups_with_one_name_are_told_apart_by_their_exemplars(anchored):
    """And merge only where that is asked for; the series after a title is left out."""

    class BySize:
        def describe(self, groups, items):
            return [Label("Several" if len(group) > 1 else "One", "test") for group in groups]

    titles = ["Dune (Dune, #1)", "v", "w", "Emma (1996)", "y", "z"]
    parts = {"describer": BySize(), "embed": lambda names: np.eye(2)[[len(n) // 4 for n in names]]}
    items = pd.DataFrame({"title": titles})
    found = cl.segment_items(anchored, items, **parts)
    assert found.of_item.tolist() == [0, 0, 0, 1, 1, 2]
    names = ["Several like Dune", "Several like Emma (1996)", "One"]
    assert [label.text for label in found.labels] == names
    merged = cl.segment_items(anchored, items, 0.9, **parts)
    assert merged.of_item.tolist() == [0, 0, 0, 0, 0, 1]
    assert [label.text for label in merged.labels] == ["Several", "One"]
