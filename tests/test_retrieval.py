"""Top-n from sparse rows against all the scores, sorted."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse import random as random_sparse

import celsa_lib as cl
from celsa_lib.errors import CelsaError, ConfigError
from celsa_lib.evaluation import effort_for_recall
from celsa_lib.retrieval import SparseIndex, lists, top_n


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
    rng, n_items = np.random.default_rng(0), 3 * lists.CACHED_ITEMS + 100
    A = csr_matrix(
        (rng.integers(-8, 9, 2 * n_items) / np.float32(8), rng.integers(0, 50, 2 * n_items),
         2 * np.arange(n_items + 1)), shape=(n_items, 50), dtype=np.float32,
    )  # fmt: skip
    A.sum_duplicates()
    seen = np.array([0, lists.CACHED_ITEMS - 1, lists.CACHED_ITEMS, n_items // 3, n_items - 1])
    X = csr_matrix((np.ones(5, np.float32), (np.zeros(5, int), seen)), shape=(1, n_items))
    scores = (A @ (X @ A).T).toarray().T
    scores[0, seen] = -np.inf
    monkeypatch.setattr(lists, "get_num_threads", lambda: threads)
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


def eighths(shape, nnz, rng):
    """Uneven rows, some empty, of multiples of 1/8: sums are exact in any order, ties are many."""
    matrix = random_sparse(*shape, nnz, format="csr", dtype=np.float32, random_state=rng)
    matrix.data = (rng.integers(-8, 9, matrix.nnz) / 8).astype(np.float32)
    return csr_matrix(matrix)


@given(
    st.integers(1, 90), st.integers(1, 30), st.floats(0, 0.6), st.integers(1, 100), st.booleans(),
    st.booleans(), st.sampled_from([1.0, 1]), st.integers(0, 999),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_one_user_gets_what_a_dense_loop_finds(
    n_items, width, density, n, without_seen, hide, effort, seed
):  # fmt: skip
    rng = np.random.default_rng(seed)
    A, X = eighths((n_items, width), density, rng), eighths((3, n_items), 0.2, rng)
    X.data[:] = rng.integers(0, 3, X.nnz)  # a stored zero is no interaction
    encoder = (rng.integers(-4, 5, A.nnz) / 4).astype(np.float32)
    own = (rng.integers(0, 5, n_items) / 4).astype(np.float32)
    hidden = rng.random(n_items) < 0.3 if hide else np.zeros(0, bool)
    scores = X.toarray() @ csr_matrix((encoder, A.indices, A.indptr), A.shape).toarray()
    scores = scores @ A.toarray().T - X.toarray() * own
    if without_seen:
        scores[X.toarray() != 0] = -np.inf
    if hide:
        scores[:, hidden] = -np.inf
    found = SparseIndex(A, encoder, own).recommend(X, n, without_seen, hidden, effort)
    for ours, expected in zip(found, best_by_sorting(scores, n), strict=True):
        assert np.array_equal(ours, expected)


@given(st.lists(st.floats(-(2**49), 2**49, width=32), min_size=1, max_size=50), st.integers(0, 99))
@settings(deadline=None)
def test_a_count_of_steps_is_near_its_value_and_says_where_it_is(values, seed):
    n_items = 3 * lists.CACHED_ITEMS
    rows = np.sort(np.random.default_rng(seed).choice(n_items, len(values), replace=False))
    column = csr_matrix((np.float32(values), (rows, np.zeros_like(rows))), (n_items, 1))
    found = SparseIndex(column).lists
    assert np.array_equal(found.places, rows % lists.CACHED_ITEMS)
    error = np.abs(found.counts * found.steps.astype(float) - np.float32(values))
    assert (error <= lists.STEP_ERROR * found.steps[0] + 1e-40).all()
    blocks = np.searchsorted(rows, lists.CACHED_ITEMS * np.arange(4))
    assert np.array_equal(found.starts[0], blocks) and found.longest == 1


@pytest.mark.parametrize("n", [1, 10, 3_000])
def test_scores_closer_than_an_entry_can_tell_are_ranked(n):
    """Values differ by less than a step; those of items that follow are larger."""
    n_items = lists.CACHED_ITEMS + 5_000
    values = 1 + np.arange(n_items) * np.float32(1e-6)
    A = csr_matrix((values, (np.arange(n_items), np.zeros(n_items, int))), dtype=np.float32)
    question = csr_matrix(np.float32([[0.7]]))
    items, scores = SparseIndex(A).search(question, n)
    expected = (np.float32(0.7) * A.data)[None]
    assert np.array_equal(items, best_by_sorting(expected, n)[0][0])
    np.testing.assert_allclose(scores, best_by_sorting(expected, n)[1][0], rtol=1e-6)


def grouped_rows() -> tuple[cl.ItemEmbeddings, csr_matrix]:
    """Items in groups of like rows, histories of few groups, as people's are."""
    rng, n_items, width, nnz = np.random.default_rng(0), 20_000, 256, 8
    kinds = np.argsort(rng.random((200, width)), axis=1)[:, :nnz]
    kind = rng.integers(0, 200, n_items)
    values = rng.standard_normal((200, nnz))[kind] + 0.2 * rng.standard_normal((n_items, nnz))
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    parts = values.ravel(), kinds[kind].ravel(), nnz * np.arange(n_items + 1)
    embeddings = cl.ItemEmbeddings(csr_matrix(parts, (n_items, width), dtype=np.float32))
    seen = [rng.choice(np.flatnonzero(np.isin(kind, rng.integers(0, 200, 4))), 20, replace=False)
            for _ in range(20)]  # fmt: skip
    X = csr_matrix((np.ones(400), (np.repeat(np.arange(20), 20), np.ravel(seen))), (20, n_items))
    return embeddings, X


def test_less_effort_finds_most_of_the_best():
    embeddings, X = grouped_rows()
    exact, _ = embeddings.recommend(X, 100)
    recalls = {}
    for effort in (0, 0.5, 0.9, 1):
        items, scores = embeddings.recommend(X, 100, effort=effort)
        recalls[effort] = np.mean([np.isin(a, b).mean() for a, b in zip(items, exact, strict=True)])
        assert (np.diff(scores) <= 0).all()  # what is found has its exact score
        np.testing.assert_allclose(
            scores, np.take_along_axis(embeddings.score(X), items, axis=1), atol=1e-5
        )
    assert recalls[1] == 1 and recalls[0.9] >= 0.99 and recalls[0] < recalls[0.9]
    for wrong in (-0.1, 1.1, "all", None):
        with pytest.raises(ConfigError, match="effort must be a number from 0 to 1"):
            embeddings.recommend(X, 10, effort=wrong)


def test_the_least_effort_for_a_recall_is_found():
    """It reaches the recall, half of it does not, and all of the best need more of it."""
    embeddings, X = grouped_rows()
    exact, _ = embeddings.recommend(X, 100)

    def recall_at(effort: float) -> float:
        found = [embeddings.recommend(x, 100, effort=effort)[0] for x in X]
        return np.mean([np.isin(a, b).mean() for a, b in zip(exact, found, strict=True)])

    effort = effort_for_recall(embeddings, X, 0.99, 100)
    assert effort_for_recall(embeddings.pack(8), X, 0.99, 100) == pytest.approx(effort, abs=0.1)
    assert 0 < effort < 1 and recall_at(effort) >= 0.99 > recall_at(effort / 2)
    assert effort_for_recall(embeddings, X, 0.8, 100) < effort
    assert effort_for_recall(embeddings, X, 1.0, 100) > effort


def test_an_effort_is_looked_for_where_there_is_one():
    embeddings, X = grouped_rows()
    nobody = csr_matrix(X.shape)
    for wrong, said in (
        ((cl.Popularity(), X), "Popularity have no effort"),
        ((embeddings, nobody), "nobody in X has a history"),
        ((embeddings, X[:, :7]), "7"),
        ((embeddings, X, 1.5), "recall must be a number from 0 to 1"),
        ((embeddings, X, 0.9, 0), "n must be a whole number"),
    ):
        with pytest.raises(CelsaError, match=said):
            effort_for_recall(*wrong)


@pytest.mark.parametrize("users", [1, 40])
def test_a_mapped_file_is_searched_without_its_rows_in_memory(users, tmp_path, monkeypatch):
    """No array of the size of all rows is made, nor scores of all users at once."""
    n_items, nnz = 8_000, 64
    rng = np.random.default_rng(0)
    cols = np.sort(np.argsort(rng.random((n_items, 256)), axis=1)[:, :nnz], axis=1)
    parts = rng.standard_normal(cols.size), cols.ravel(), nnz * np.arange(n_items + 1)
    rows = csr_matrix(parts, (n_items, 256), dtype=np.float32)
    packed = cl.ItemEmbeddings(rows).pack(path=tmp_path / "rows.packed")
    X = csr_matrix((np.ones(users), (np.arange(users), np.arange(users))), (users, n_items))
    everything = packed.recommend(X, 10)
    monkeypatch.setattr("celsa_lib.retrieval.ranking.SCORES_AT_ONCE", 4 * n_items)
    tracemalloc.start()
    found = packed.recommend(X, 10)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < min(packed._layout.words.nbytes, (rows.data.nbytes + rows.indices.nbytes) / 4)
    for ours, theirs in zip(found, everything, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_packed_rows_in_parts_for_several_threads(tmp_path, monkeypatch):
    rows = random_sparse(1_000, 64, 0.1, format="csr", dtype=np.float32, random_state=0)
    packed = cl.ItemEmbeddings(rows).pack(path=tmp_path / "rows.packed")
    X = csr_matrix(([1.0], ([0], [3])), shape=(1, 1_000))
    whole = packed.score(X)
    monkeypatch.setattr("celsa_lib.kernels.packed.ROWS_OF_A_PART", 300)
    monkeypatch.setattr("celsa_lib.kernels.packed.get_num_threads", lambda: 4)
    assert np.array_equal(packed.score(X), whole)
