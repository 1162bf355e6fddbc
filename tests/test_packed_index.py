"""Packed rows found through lists: the same as a look at every row, with effort nearly so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from test_packed import BITS, anchored, embeddings, some_rows, users_of
from test_retrieval import best_by_sorting, grouped_rows

import celsa_lib as cl
from celsa_lib.errors import ConfigError
from celsa_lib.retrieval import lists, recommend_in_batches

FEW = 3


def by_every_row(packed: cl.PackedEmbeddings, X, n, exclude_seen, hidden) -> tuple:
    """The best by all scores, a user at a time, as rows are decoded for one user."""
    found = [recommend_in_batches(packed.score, x, n, exclude_seen, hidden) for x in X]
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


@given(
    embeddings(), st.sampled_from(BITS), st.integers(1, 12), st.booleans(), st.booleans(),
    st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_lists_find_what_every_row_does(rows, bits, n, exclude_seen, hide, seed):
    """Bit by bit: ids, scores, and the places left over."""
    packed = rows.pack(bits)
    packed.is_dense = False  # rows of few latents are full
    rng, n_items = np.random.default_rng(seed), len(rows.item_ids)
    X = users_of(n_items, FEW, seed)
    X.data[rng.random(X.nnz) < 0.2] = 0  # a stored zero is no interaction
    hidden = rng.random(n_items) < 0.3 if hide else np.zeros(0, bool)
    expected = by_every_row(packed, X, n, exclude_seen, hidden)
    without = np.flatnonzero(hidden)
    found = packed.recommend(X, n, exclude_seen, without=without)
    for ours, theirs in zip(found, expected, strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(("bits", "threads"), [(3, 1), (8, 1), (4, 3)])
def test_lists_of_several_blocks_and_many_users(bits, threads, tmp_path, monkeypatch):
    """Blocks, parts for several threads, and users in threads; the rows are in a file."""
    monkeypatch.setattr(lists, "get_num_threads", lambda: threads)
    rng, n_items = np.random.default_rng(0), 2 * lists.CACHED_ITEMS + 100
    columns = np.sort(np.argsort(rng.random((n_items, 20)), axis=1)[:, :3], axis=1)
    parts = rng.standard_normal(columns.size), columns.ravel(), 3 * np.arange(n_items + 1)
    rows = cl.ItemEmbeddings(csr_matrix(parts, (n_items, 20), dtype=np.float32))
    packed = rows.pack(bits, tmp_path / "rows.packed")
    seen = rng.integers(0, n_items, 80)
    X = csr_matrix((np.ones(80), (np.repeat(np.arange(40), 2), seen)), (40, n_items))
    expected = recommend_in_batches(packed.score, X, 50, True)
    together = packed.recommend(X, 50)
    np.testing.assert_allclose(together[1], expected[1], rtol=1e-5)
    for user in range(FEW):
        alone = packed.recommend(X[user], 50)
        assert np.array_equal(alone[0][0], together[0][user])
        best = best_by_sorting(packed.score(X[user]) - 1e9 * X[user].toarray(), 50)
        assert np.array_equal(alone[0], best[0]) and np.array_equal(alone[1], best[1])


def test_less_effort_finds_most_of_the_best_packed_rows():
    rows, X = grouped_rows()
    packed = rows.pack(4)
    exact, _ = packed.recommend(X, 100)
    recalls = {}
    for effort in (0, 0.9, 1):
        items, scores = packed.recommend(X, 100, effort=effort)
        recalls[effort] = np.mean([np.isin(a, b).mean() for a, b in zip(items, exact, strict=True)])
        np.testing.assert_allclose(
            scores, np.take_along_axis(packed.score(X), items, axis=1), atol=1e-5
        )
    assert recalls[1] == 1 and recalls[0.9] >= 0.99 and recalls[0] < recalls[0.9]
    with pytest.raises(ConfigError, match="effort must be a number from 0 to 1"):
        packed.recommend(X, 10, effort=1.1)


def test_lists_take_three_bytes_per_nonzero():
    rows = cl.ItemEmbeddings(some_rows(items=500, width=40))
    packed = rows.pack(4)
    packed.recommend(users_of(500, FEW), 10)
    kept = packed._index.lists
    assert kept.places.nbytes + kept.counts.nbytes == 3 * rows.matrix.nnz
    assert kept.starts.nbytes == 4 * 2 * 40


def test_rows_with_latents_of_their_own_are_in_the_lists():
    rows = anchored(items=90)
    packed, X = rows.pack(8), users_of(90, FEW)
    for ours, theirs in zip(
        packed.recommend(X, 20), by_every_row(packed, X, 20, True, np.zeros(0, bool)), strict=True
    ):
        assert np.array_equal(ours, theirs)
