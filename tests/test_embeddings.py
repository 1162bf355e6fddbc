"""ItemEmbeddings: exact scores, safe files, and the authors' released rows."""

import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array

import celsa_lib as cl
from celsa_lib.arrays import save_arrays
from celsa_lib.data import load_goodbooks_test_users
from celsa_lib.retrieval import top_n


def some_embeddings(seed=0, items=30, width=12, density=0.3):
    matrix = random_array((items, width), density=density, rng=np.random.default_rng(seed))
    return cl.ItemEmbeddings(csr_matrix(matrix), np.arange(100, 100 + items))


@given(st.integers(0, 500), st.floats(0.05, 1.0))
@settings(max_examples=40, deadline=None)
def test_sparse_scores_are_the_dense_ones(seed, density):
    embeddings = some_embeddings(seed, density=density)
    X = csr_matrix((np.random.default_rng(seed).random((9, 30)) < 0.2).astype(np.float32))
    A, x = embeddings.matrix.toarray(), X.toarray()
    assert np.allclose(embeddings.score(X), x @ A @ A.T - x, atol=1e-5)


def test_size_in_bytes():
    assert cl.ItemEmbeddings(csr_matrix(np.eye(4))).bytes_per_item == 8
    assert cl.ItemEmbeddings(csr_matrix(np.ones((4, 3)))).bytes_per_item == 12


def test_a_zero_among_dense_values_changes_no_size():
    """4 · 12 bytes per item, and 8 · 12 are never counted for an entry that happens to be 0."""
    values = np.ones((30, 12), np.float32)
    values[3, 5] = 0
    explicit = csr_matrix(np.ones_like(values))
    explicit.data[41] = 0  # stored all the same
    for matrix in (csr_matrix(values), explicit):
        embeddings = cl.ItemEmbeddings(matrix)
        assert embeddings.is_dense and embeddings.bytes_per_item == 48
        X = csr_matrix(np.eye(30, dtype=np.float32))
        expected = values @ values.T - np.eye(30)
        assert np.allclose(embeddings.score(X), expected)


def test_a_full_row_does_not_make_sparse_rows_dense():
    values = np.eye(30, 12, dtype=np.float32)
    values[3] = 1
    embeddings = cl.ItemEmbeddings(csr_matrix(values))
    assert not embeddings.is_dense
    assert embeddings.bytes_per_item == 7  # 23 values of 8 bytes, over 30 rows, rounded up


def test_the_callers_matrix_stays_as_it_is():
    """Columns out of order are put in order in a copy."""
    matrix = csr_matrix(([1.0, 2.0], [5, 2], [0, 2]), shape=(1, 8), dtype=np.float32)
    embeddings = cl.ItemEmbeddings(matrix)
    assert matrix.indices.tolist() == [5, 2] and matrix.data.tolist() == [1, 2]
    assert embeddings.matrix.indices.tolist() == [2, 5]
    assert embeddings.matrix.data.tolist() == [2, 1]


def test_saved_and_loaded_are_equal(tmp_path):
    before = some_embeddings()
    before.save(tmp_path / "new" / "items.npz")
    after = cl.ItemEmbeddings.load(tmp_path / "new" / "items.npz")
    assert (before.matrix != after.matrix).nnz == 0
    assert np.array_equal(before.item_ids, after.item_ids)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["items.npz"]


def test_what_is_known_of_the_rows_stays_with_them(tmp_path):
    about = {"dataset": "ü", "n_test": 3}
    rows = cl.ItemEmbeddings(csr_matrix(np.eye(3)), about=about)
    assert cl.ItemEmbeddings.load(rows.save(tmp_path / "items.npz")).about == about
    assert cl.ItemEmbeddings(rows.matrix).about == {}


def test_without_ids_rows_are_counted(tmp_path):
    rows = cl.ItemEmbeddings(some_embeddings().matrix)
    assert rows.item_ids.tolist() == list(range(30))
    assert cl.ItemEmbeddings.load(rows.save(tmp_path / "a.npz")).item_ids.tolist() == list(
        range(30)
    )


def test_ids_of_any_kind_are_saved_without_pickle(tmp_path):
    ids = np.array(["a", "bb", "c"], dtype=object)
    cl.ItemEmbeddings(csr_matrix(np.eye(3)), ids).save(tmp_path / "items.npz")
    assert cl.ItemEmbeddings.load(tmp_path / "items.npz").item_ids.tolist() == ["a", "bb", "c"]


def damaged(path, kind):
    if kind == "missing":
        path.unlink()
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:200])
    elif kind == "text":
        path.write_text("not an archive")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "pickle":
        np.savez(path, header=np.array([{"format": "x"}], dtype=object))
    elif kind == "other archive":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme", "hello")
    elif kind == "bad about":
        header = {"format": "celsa-item-embeddings", "version": 3, "shape": [30, 12]}
        save_arrays(path, header | {"about": [1]}, arrays_of(path))
    elif kind == "bad index":
        header = {"format": "celsa-item-embeddings", "version": 3, "shape": [30, 12], "about": {}}
        arrays = arrays_of(path)
        save_arrays(path, header, arrays | {"indices": arrays["indices"] + 99})
    elif kind in ("renamed", "changed"):
        with np.load(path) as stored:
            arrays = dict(stored)
        if kind == "renamed":  # ids 0, 1, 2 would stand in
            arrays["ids"] = arrays.pop("item_ids")
        else:
            arrays["data"] = arrays["data"] + np.float32(0.01)
        np.savez(path, **arrays)
    elif kind == "huge":  # a header that claims a terabyte
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        shape = f"({members['data.npy'].count(b'x') + 10**12},), }}".ljust(40)
        head, _, tail = members["data.npy"].partition(b"(")
        cut = len(shape)
        members["data.npy"] = head + shape.encode() + tail[cut - 1 :]
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)


def arrays_of(path):
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files if name not in ("header", "checksum")}


@pytest.mark.parametrize(
    "kind",
    "missing|truncated|text|empty|pickle|other archive".split("|")
    + "bad index|bad about|renamed|changed|huge".split("|"),
)
def test_a_damaged_file_is_named(tmp_path, kind):
    path = some_embeddings().save(tmp_path / "items.npz")
    damaged(path, kind)
    with pytest.raises(cl.CelsaError, match="items.npz"):
        cl.ItemEmbeddings.load(path)


def test_another_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("celsa_lib.embeddings.VERSION", 99)
    path = some_embeddings().save(tmp_path / "items.npz")
    monkeypatch.undo()
    with pytest.raises(cl.CelsaError, match="version 99"):
        cl.ItemEmbeddings.load(path)


def test_a_folder_in_the_way_is_an_error_and_leaves_nothing(tmp_path):
    (tmp_path / "items.npz").mkdir()
    with pytest.raises(cl.CelsaError, match="choose a folder"):
        some_embeddings().save(tmp_path / "items.npz")
    (tmp_path / "file").write_text("")
    with pytest.raises(cl.CelsaError, match="choose a folder"):
        some_embeddings().save(tmp_path / "file" / "items.npz")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "items.npz"]


def test_what_does_not_fit_is_refused():
    with pytest.raises(cl.CelsaError, match="one id per row"):
        cl.ItemEmbeddings(csr_matrix(np.eye(3)), np.arange(4))
    with pytest.raises(cl.CelsaError, match="not finite"):
        cl.ItemEmbeddings(csr_matrix(np.diag([1.0, np.nan])))
    with pytest.raises(cl.CelsaError, match="item order"):
        some_embeddings().score(csr_matrix((2, 29)))


@given(st.integers(0, 999), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_top_n_is_a_stable_sort(seed, n):
    scores = np.random.default_rng(seed).permutation(50).reshape(5, 10).astype(np.float32)
    best, values = top_n(scores, n)
    assert np.array_equal(best, np.argsort(-scores, axis=1, kind="stable")[:, :n])
    assert (np.diff(values, axis=1) <= 0).all()


def test_equal_scores_go_to_the_lower_index():
    best, _ = top_n(np.zeros((1, 6), np.float32), 6)
    assert best.tolist() == [[0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize(
    "method, expected",
    [
        (
            "disjoint",
            {"ndcg@100": (0.469, 0.006), "recall@20": (0.320, 0.006), "recall@50": (0.457, 0.006)},
        ),
        ("as_released", {"ndcg@100": (0.460, 0.008)}),
    ],
)
def test_released_embeddings_on_the_papers_test_users(real_data, method, expected):
    users = load_goodbooks_test_users()
    embeddings = cl.ItemEmbeddings(users.released, users.item_ids)
    assert embeddings.bytes_per_item == 128
    result = cl.evaluate(embeddings, cl.holdout_folds(users.X, method=method))
    for metric, (value, tolerance) in expected.items():
        assert result.mean[metric] == pytest.approx(value, abs=tolerance)


def test_users_who_are_no_numbers_are_refused():
    rows = cl.ItemEmbeddings(csr_matrix(np.eye(3)))
    users = csr_matrix(np.array([[np.nan, 1, 0]]))
    for ask in (rows.encode, rows.score, rows.recommend):
        with pytest.raises(cl.CelsaError, match="not finite, or .* use 1"):
            ask(users)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("density", [0.2, 0.9])
def test_latents_times_rows_are_the_scores_before_the_own_part(density, scaled):
    """What a vector database returns for encode(X), and that it is asked with sparse vectors."""
    rows = some_embeddings(density=density).matrix
    scales = np.linspace(0.5, 2, 30).astype(np.float32) if scaled else None
    embeddings = cl.ItemEmbeddings(rows, input_scales=scales)
    X = csr_matrix((np.random.default_rng(1).random((7, 30)) < 0.2).astype(np.float32))
    encoded = embeddings.encode(X)
    assert isinstance(encoded, np.ndarray if density > 0.5 else csr_matrix)
    assert encoded.dtype == np.float32
    found = csr_matrix(encoded @ rows.T).toarray() - X.toarray() * embeddings.own_part
    assert np.allclose(found, embeddings.score(X), atol=1e-5)
    assert np.array_equal(csr_matrix(encoded).toarray(), embeddings.activations(X))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 500), st.floats(0.05, 0.9), st.booleans())
def test_similar_items_are_those_of_the_largest_cosine(seed, density, scaled):
    """Rows of very different norms; the item itself is left out."""
    rng = np.random.default_rng(seed)
    matrix = random_array((30, 12), density=density, rng=rng).tocsr()
    norms = np.exp(rng.normal(size=30)) * 3
    matrix = csr_matrix(matrix.multiply(norms[:, None]))
    embeddings = cl.ItemEmbeddings(matrix, input_scales=np.arange(30) + 1.0 if scaled else None)
    asked = rng.choice(30, 4, replace=False)
    found, cosines = embeddings.similar(asked, 29)
    unit = matrix.toarray() / np.maximum(np.linalg.norm(matrix.toarray(), axis=1), 1e-12)[:, None]
    for item, near, values in zip(asked, found, cosines, strict=True):
        assert sorted([item, *near]) == list(range(30))
        assert values == pytest.approx(unit[near] @ unit[item], abs=1e-6)
        assert (np.diff(values) <= 0).all()


@pytest.mark.parametrize("kind", ["dense", "sparse", "anchored"])
def test_packed_rows_have_similar_items_and_stay_packed(kind, tmp_path, monkeypatch):
    """Cosines of the rows as they are packed, whatever scales they encode with; one row is empty"""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((20, 20)) * (rng.random((20, 20)) < (1 if kind == "dense" else 0.3))
    if kind == "anchored":
        rows[np.diag_indices(20)] = rng.uniform(0.5, 3, 20)
    else:
        rows[7] = 0
    scales = rng.uniform(0.5, 2, 20) if kind == "anchored" else None
    embeddings = cl.ItemEmbeddings(csr_matrix(rows), input_scales=scales)
    packed = embeddings.pack(8, tmp_path / "rows.packed")
    unpacked = packed.unpack()
    monkeypatch.setattr(cl.PackedEmbeddings, "unpack", None)
    for items in ([3], [3, 4, 0, 19]):
        found, cosines = packed.similar(items, 19)
        expected, nearest = unpacked.similar(items, 19)
        assert cosines == pytest.approx(nearest, abs=1e-6)
        apart = np.abs(np.diff(nearest, axis=1)).min() > 1e-6
        assert kind != "dense" or (apart and np.array_equal(found, expected))
        for item, near in zip(items, found, strict=True):
            assert sorted([item, *near]) == list(range(20))
    assert packed.similar([], 2)[0].shape == (0, 2)
    for wrong, said in ((20, "there is no item 20"), (-1, "at least 0")):
        with pytest.raises(cl.CelsaError, match=said):
            packed.similar([wrong])


def test_similar_by_hand_and_what_is_not_there():
    """Item 2 is long and 45 degrees off, item 1 short and in the same direction."""
    embeddings = cl.ItemEmbeddings(csr_matrix(np.array([[1, 0, 0], [0.1, 0, 0], [50, 50, 0]])))
    found, cosines = embeddings.similar([0], 2)
    assert found.tolist() == [[1, 2]] and cosines[0] == pytest.approx([1, np.sqrt(0.5)])
    assert embeddings.similar([], 2)[0].shape == (0, 2)
    for item in (3, -1, 0.5):
        with pytest.raises(cl.CelsaError, match="there is no item 3|at least 0"):
            embeddings.similar([item])
