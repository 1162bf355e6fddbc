"""Top-n from sparse rows against all the scores, sorted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse import random as random_sparse

import celsa_lib as cl
from celsa_lib.errors import ConfigError
from celsa_lib.retrieval import SparseIndex, sparse, top_n


def best_by_sorting(scores, n):
    """The n largest of each row, equal ones by lower index; −1 where −inf."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :n]
    values = np.take_along_axis(scores, order, axis=1)
    return np.where(np.isneginf(values), -1, order), values


@given(st.integers(1, 40), st.integers(1, 50), st.integers(1, 60), st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_top_n_is_a_stable_sort(users, items, n, seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-3, 3, (users, items)).astype(np.float32)  # many ties
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    for ours, expected in zip(top_n(scores, n), best_by_sorting(scores, n), strict=True):
        assert np.array_equal(ours, expected)


@pytest.mark.parametrize("without_seen", [True, False])
@pytest.mark.parametrize("users", [1, 5, 31, 32, 33, 200])
@pytest.mark.parametrize("n", [1, 10, 300])
def test_sparse_top_n_is_exact(users, n, without_seen):
    """Values are multiples of 1/8, so that sums are exact in any order and ties are many."""
    rng = np.random.default_rng(users + n)
    A = random_sparse(120, 40, 0.1, format="csr", dtype=np.float32, random_state=1)
    A.data = (rng.integers(-8, 9, A.nnz) / 8).astype(np.float32)
    X = random_sparse(users, 120, 0.1, format="csr", dtype=np.float32, random_state=2)
    X.data[:] = 1
    X = csr_matrix(X + csr_matrix(([0.0], ([0], [7])), shape=X.shape, dtype=np.float32))
    scores = X.toarray() @ A.toarray() @ A.toarray().T - X.toarray()
    if without_seen:
        scores[X.toarray() > 0] = -np.inf
    found = SparseIndex(A).recommend(X, n, without_seen)
    for ours, expected in zip(found, best_by_sorting(scores, n), strict=True):
        assert np.array_equal(ours, expected)


@pytest.mark.parametrize("threads", [1, 3])
def test_one_user_among_more_items_than_a_block(threads, monkeypatch):
    """Blocks, and parts for several threads, meet at any item; sums are exact, ties are many."""
    rng, n_items = np.random.default_rng(0), 3 * sparse.CACHED_ITEMS + 100
    A = csr_matrix(
        (rng.integers(-8, 9, 2 * n_items) / np.float32(8), rng.integers(0, 50, 2 * n_items),
         2 * np.arange(n_items + 1)), shape=(n_items, 50), dtype=np.float32,
    )  # fmt: skip
    A.sum_duplicates()
    seen = np.array([0, sparse.CACHED_ITEMS - 1, sparse.CACHED_ITEMS, n_items // 3, n_items - 1])
    X = csr_matrix((np.ones(5, np.float32), (np.zeros(5, int), seen)), shape=(1, n_items))
    scores = (A @ (X @ A).T).toarray().T
    scores[0, seen] = -np.inf
    monkeypatch.setattr(sparse, "get_num_threads", lambda: threads)
    for n in (5, 400):
        found = SparseIndex(A).recommend(X, n, without_seen=True)
        for ours, expected in zip(found, best_by_sorting(scores, n), strict=True):
            assert np.array_equal(ours, expected)


@pytest.mark.parametrize("users", [1, 40])
@pytest.mark.parametrize("kind", ["sparse", "dense", "packed"])
def test_only_what_may_be_is_recommended(kind, users, histories, tmp_path):
    A = random_sparse(60, 16, 1 if kind == "dense" else 0.2, format="csr", random_state=0)
    embeddings = cl.ItemEmbeddings(A.astype(np.float32))
    if kind == "packed":
        embeddings = embeddings.pack(path=tmp_path / "rows.packed")
    X, among, without = histories[:users], np.arange(5, 50), [7, 9, 59]
    scores = embeddings.score(X)
    scores[X.toarray() > 0] = -np.inf
    for rules, gone in (
        ({"among": among}, [*range(5), *range(50, 60)]),
        ({"without": without}, without),
        ({"among": among, "without": without}, [*range(5), 7, 9, *range(50, 60)]),
        ({"among": []}, range(60)),
    ):
        left = scores.copy()
        left[:, list(gone)] = -np.inf
        items, values = embeddings.recommend(X, 10, **rules)
        np.testing.assert_allclose(values, best_by_sorting(left, 10)[1], atol=1e-5)
        assert not np.isin(items, list(gone)).any()
    for wrong in ("abc", np.ones(60, bool), [60], [-1], [0.5], [[1]]):
        with pytest.raises(ConfigError, match="among is a list of positions"):
            embeddings.recommend(X, 10, among=wrong)


def test_item_embeddings_use_it(histories):
    """Rows of different lengths, one of them empty; a user alone as in a batch."""
    A = random_sparse(60, 16, 0.2, format="csr", dtype=np.float32, random_state=0)
    A.data[A.indptr[3] : A.indptr[4]] = 0
    A.eliminate_zeros()
    embeddings = cl.ItemEmbeddings(A)
    items, scores = embeddings.recommend(histories, 10)
    everything = embeddings.score(histories)
    everything[histories.toarray() > 0] = -np.inf
    assert np.allclose(scores, best_by_sorting(everything, 10)[1], atol=1e-5)
    alone = embeddings.recommend(histories[5], 10)
    assert np.array_equal(alone[0][0], items[5]) and np.allclose(alone[1][0], scores[5], atol=1e-6)
    for bad, message in ((np.ones((1, 9)), "9 items"), (np.ones((1, 60)), "whole number")):
        with pytest.raises(cl.CelsaError, match=message):
            embeddings.recommend(csr_matrix(bad), 10 if bad.shape[1] == 9 else 0)
