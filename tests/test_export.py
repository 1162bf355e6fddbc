"""Exported rows: read back by other programs' readers, split by sign, ranked again."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix, load_npz

import celsa_lib as cl
from celsa_lib.data import load_goodbooks_test_users
from celsa_lib.errors import ConfigError, DataError
from celsa_lib.retrieval import FORMATS, exclude_seen, export_rows, split_signs, top_n

CANDIDATES = 50
values = st.sampled_from([0.0, -0.0]) | st.floats(-1e6, 1e6, width=32)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def matrix_of(lists, width) -> csr_matrix:
    """Rows from their (indices, values)."""
    indptr = np.cumsum([0, *(len(indices) for indices, _ in lists)])
    parts = [np.concatenate([np.array(row[side]) for row in lists]) for side in (1, 0)]
    return csr_matrix((parts[0].astype(np.float32), parts[1], indptr), (len(lists), width))


def read_parquet(path, width):
    table = pq.read_table(path)
    assert [str(field.type) for field in table.schema][2:] == [
        "list<element: int32>",
        "list<element: float>",
    ]
    assert table.schema.metadata[b"width"] == str(width).encode()
    rows = table.to_pylist()
    lists = [(row["indices"], row["values"]) for row in rows]
    return matrix_of(lists, width), [(row["item_id"], row["title"]) for row in rows]


def read_jsonl(path, width):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(list(row) == ["id", "title", "indices", "values"] for row in rows)
    lists = [(row["indices"], row["values"]) for row in rows]
    return matrix_of(lists, width), [(row["id"], row["title"]) for row in rows]


def read_csr(path, width):
    assert all(array.dtype != object for array in np.load(path, allow_pickle=False).values())
    return load_npz(path), None


READERS = {"parquet": read_parquet, "jsonl": read_jsonl, "csr": read_csr}


def written(form, matrix, items):
    """What a reader finds in the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = export_rows(matrix, items, form, Path(folder, "rows"))
        return READERS[form](path, matrix.shape[1])


@pytest.mark.parametrize("form", FORMATS)
@given(
    arrays(np.float32, (5, 4), elements=values), st.lists(text | st.none(), min_size=5), st.data()
)
@settings(max_examples=40, deadline=None)
def test_what_is_read_is_what_was_written(form, dense, titles, data):
    """Any values, ids and titles; stored zeros, unsorted columns and empty rows among them."""
    ids = data.draw(st.lists(text, min_size=5, max_size=5) | st.just([7, 3, 2**40, 0, -1]))
    items = pd.DataFrame({"title": titles[:5]}, index=ids)
    order = np.array([2, 0, 3, 1])
    everything = (dense[:, order].ravel(), np.tile(order, 5), np.arange(0, 21, 4))
    found, named = written(form, csr_matrix(everything, shape=(5, 4)), items)
    assert np.array_equal(found.toarray(), dense) and (found.data != 0).all()
    assert found.has_sorted_indices
    if named is not None:
        assert named == list(zip(ids, [title or "" for title in titles[:5]], strict=True))


@pytest.mark.parametrize("form", FORMATS)
@given(arrays(np.float32, (4, 3), elements=values))
@settings(max_examples=20, deadline=None)
def test_split_rows_can_be_joined_again(form, dense):
    items = pd.DataFrame({"title": list("abcd")})
    found, _ = written(form, split_signs(csr_matrix(dense)), items)
    assert found.shape == (4, 6) and (found.data > 0).all()
    assert (found.getnnz(axis=1) == np.count_nonzero(dense, axis=1)).all()
    split = found.toarray()
    assert np.array_equal(split[:, ::2] - split[:, 1::2], dense)


def test_split_by_hand():
    rows = split_signs(csr_matrix(np.array([[0.5, 0, -2], [0, 0, 3]], dtype=np.float32)))
    assert rows.toarray().tolist() == [[0.5, 0, 0, 0, 0, 2], [0, 0, 0, 0, 3, 0]]
    assert rows.dtype == np.float32


@given(arrays(np.float64, (2, 6), elements=st.integers(-9, 9)))
def test_a_split_product_lacks_the_terms_whose_signs_differ(pair):
    split = split_signs(csr_matrix(pair)).toarray()
    terms = pair[0] * pair[1]
    assert split[0] @ split[1] == terms[terms > 0].sum() >= terms.sum()
    signed_question = np.stack([pair[0], -pair[0]], axis=1).ravel()
    assert signed_question @ split[1] == terms.sum()


def scales_in(form, path) -> np.ndarray:
    """The input scales of a file, by the reader of another program."""
    if form == "parquet":
        return pq.read_table(path)["input_scale"].to_numpy()
    if form == "jsonl":
        return np.array([json.loads(line)["input_scale"] for line in path.open()])
    return np.load(path, allow_pickle=False)["input_scale"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("split", [False, True])
def test_the_file_alone_ranks_as_the_library_does(form, split, tmp_path):
    """Rows of the recommended recipe, whose query is the scaled sum of unit rows."""
    rng = np.random.default_rng(1)
    X = csr_matrix((rng.random((300, 60)) < 0.15).astype(np.float32))
    model = cl.CompressedELSA(nnz=6, recipe="recommended", epochs=2, progress=False).fit(X)
    rows, users = model.item_embeddings, X[:40]
    assert rows.input_scales is not None and np.ptp(rows.input_scales) > 0
    items = pd.DataFrame({"title": "t"}, index=rows.item_ids)
    stored = split_signs(rows.matrix) if split else rows.matrix
    path = export_rows(stored, items, form, tmp_path / "rows", rows.input_scales)
    width = stored.shape[1]
    if form == "csr":
        found = load_npz(path).toarray().astype(np.float64)
    else:
        table = (
            pq.read_table(path).to_pylist()
            if form == "parquet"
            else [json.loads(line) for line in path.open()]
        )
        found = matrix_of([(r["indices"], r["values"]) for r in table], width).toarray()
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    question = (users.toarray() * scales_in(form, path)) @ unit
    if split:  # the sign is in the question
        question[:, ::2] -= question[:, 1::2].copy()
        question[:, 1::2] = -question[:, ::2]
    scores = question @ found.T
    scores[users.toarray() > 0] = -np.inf
    expected = exclude_seen(rows.score(users), users)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    best, values = rows.recommend(users, 10)
    np.testing.assert_allclose(np.take_along_axis(scores, best, axis=1), values, atol=1e-5)
    np.testing.assert_allclose(-np.sort(-scores, axis=1)[:, :10], values, atol=1e-5)


def recall_of_candidates(embeddings, X, n=10) -> float:
    """Share of the exact `n` among CANDIDATES by split rows, ranked again by signed ones."""
    exact, _ = embeddings.recommend(X, n)
    asked = split_signs(csr_matrix(embeddings.encode(X)))
    split_scores = (asked @ split_signs(embeddings.matrix).T).toarray()
    candidates, _ = top_n(exclude_seen(split_scores, X), CANDIDATES)
    signed = np.take_along_axis(embeddings.score(X), candidates, axis=1)
    best = np.take_along_axis(candidates, np.argsort(-signed, axis=1)[:, :n], axis=1)
    pairs = zip(exact, best, strict=True)
    return float(np.mean([len(set(a) & set(b)) / n for a, b in pairs]))


def test_candidates_ranked_again_are_the_exact_ones():
    """1,000 items × 256, 8 nonzeros of both signs; 200 users with about 10 items."""
    rng = np.random.default_rng(0)
    indices = np.concatenate([rng.choice(256, 8, replace=False) for _ in range(1000)])
    rows = csr_matrix((rng.normal(size=8000), indices, np.arange(0, 8001, 8)), (1000, 256))
    users = csr_matrix((rng.random((200, 1000)) < 0.01).astype(np.float32))
    assert recall_of_candidates(cl.ItemEmbeddings(rows), users) == 1.0


def test_candidates_of_the_released_embeddings(real_data):
    """Half of the values are negative; 500 of the paper's users, a fifth of each left out."""
    users = load_goodbooks_test_users(real_data)
    embeddings = cl.ItemEmbeddings(users.released, users.item_ids)
    assert 0.4 < (embeddings.matrix.data < 0).mean() < 0.6
    assert recall_of_candidates(embeddings, cl.holdout_folds(users.X[:500])[0][0]) == 1.0


def test_what_cannot_be_written_is_refused(tmp_path):
    rows = csr_matrix(np.eye(3))
    with pytest.raises(ConfigError, match='no format "csv"; choose one of parquet, jsonl, csr'):
        export_rows(rows, pd.DataFrame({"title": list("abc")}), "csv", tmp_path / "x")
    for items in (pd.DataFrame({"title": list("ab")}), pd.DataFrame({"name": list("abc")})):
        with pytest.raises(DataError, match="one item per row"):
            export_rows(rows, items, "csr", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
