"""Packed rows: what is written, by hand and by properties; scores from the file; damage."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, issparse, random_array

import celsa_lib as cl
from celsa_lib.arrays import save_arrays
from celsa_lib.data import load_goodbooks_test_users
from celsa_lib.errors import ConfigError, DataError, NotFittedError, StorageError
from celsa_lib.kernels.packed import FIXED, FULL, RICE
from celsa_lib.models import PackedWeights, PrunedEASE, SparseMRF
from celsa_lib.retrieval import csr_bytes_per_item

BITS = (3, 4, 8)


def some_rows(seed=0, items=40, width=25, density=0.2, lowest=-1.0) -> csr_matrix:
    """Rows of any length, some of them empty."""
    rng = np.random.default_rng(seed)
    matrix = csr_matrix(random_array((items, width), density=density, rng=rng)).astype(np.float32)
    matrix.data[:] = rng.uniform(lowest, 1, matrix.nnz)
    return matrix


def anchored(seed=0, items=30, scaled=True) -> cl.ItemEmbeddings:
    rng = np.random.default_rng(seed)
    matrix = csr_matrix(some_rows(seed, items, items, 0.1).toarray() * (1 - np.eye(items)))
    matrix += csr_matrix(np.diag(rng.uniform(0.5, 3, items)))
    return cl.ItemEmbeddings(matrix, input_scales=rng.uniform(0.3, 3, items) if scaled else None)


def users_of(items: int, users: int = 70, seed: int = 1) -> csr_matrix:
    """More users than are scored at once; one of them has no history, one a weight."""
    X = (np.random.default_rng(seed).random((users, items)) < 0.2).astype(np.float32)
    X[0], X[1, 0] = 0, 2.5
    return csr_matrix(X)


def header_of(path) -> dict:
    with np.load(path) as stored:
        return json.loads(str(stored["header"]))


@st.composite
def embeddings(draw) -> cl.ItemEmbeddings:
    """Rows of any lengths from 0 to the width, as they are or anchored, scaled or not."""
    items, square = draw(st.integers(1, 9)), draw(st.booleans())
    width = items if square else draw(st.sampled_from([1, 2, 3, 31, 64, 65, 1000]))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    lengths = draw(st.lists(st.integers(0, min(width, 70)), min_size=items, max_size=items))
    rows = np.zeros((items, width), np.float32)
    for row, length in zip(rows, lengths, strict=True):
        some = rng.normal(size=length) if draw(st.booleans()) else rng.uniform(0.1, 1, length)
        row[rng.choice(width, length, replace=False)] = some * 10 ** rng.uniform(-3, 3)
    if square and draw(st.booleans()):
        np.fill_diagonal(rows, rng.choice([-1, 1]) * rng.uniform(0.1, 9, items))
    scales = rng.choice([-0.5, 0, 1, 3], items) if draw(st.booleans()) else None
    return cl.ItemEmbeddings(csr_matrix(rows), input_scales=scales)


def error_with_largest(values: np.ndarray, bits: int, signed: bool) -> float:
    """Squared error of ½, 1½, … (signed: ±) times the scale that the largest value asks for."""
    levels = np.arange(2**bits) - signed * 2 ** (bits - 1) + 0.5
    scale = np.abs(values).max() / levels[-1]
    return (np.abs(values[:, None] - scale * levels).min(axis=1) ** 2).sum()


@given(embeddings(), st.sampled_from(BITS))
@settings(max_examples=150, deadline=None)
def test_unpacked_rows_are_the_packed_ones(rows, bits):
    with tempfile.TemporaryDirectory() as folder:
        found, before = rows.pack(bits, Path(folder, "rows")).unpack(), rows.matrix
    assert np.array_equal(found.matrix.indices, before.indices)
    assert np.array_equal(found.matrix.indptr, before.indptr)
    own = np.repeat(np.arange(before.shape[0]), np.diff(before.indptr)) == before.indices
    apart = own & rows.is_anchored
    assert np.allclose(found.matrix.data[apart], before.data[apart], rtol=0.021, atol=0)
    signed = (before.data[~apart] < 0).any()
    for first, last in zip(before.indptr[:-1], before.indptr[1:], strict=True):
        some = np.flatnonzero(~apart[first:last]) + first
        if len(some):
            values = before.data[some]
            lost = ((found.matrix.data[some] - values) ** 2).sum()
            coded = 0.021**2 * (values**2).sum()  # by the scale's own few bits
            assert lost <= 1.1 * error_with_largest(values, bits, signed) + 2 * coded
    if rows.input_scales is None:
        assert found.input_scales is None
    else:
        assert np.allclose(found.input_scales, rows.input_scales, rtol=0.021, atol=0)


@given(embeddings(), st.sampled_from(BITS))
@settings(max_examples=50, deadline=None)
def test_scores_from_the_file_are_those_of_the_unpacked_rows(rows, bits):
    X = users_of(rows.matrix.shape[0])
    with tempfile.TemporaryDirectory() as folder:
        packed = rows.pack(bits, Path(folder, "rows"))
        plain, latents, scores = packed.unpack(), packed.activations(X), packed.score(X)
        alone = packed.score(X[:1])
    rounded = 1e-5 * (1 + np.abs(plain.matrix.data).sum())
    assert np.allclose(latents, plain.activations(X), rtol=1e-4, atol=rounded)
    rounded *= 1 + np.abs(plain.matrix.data).sum()
    assert np.allclose(scores, plain.score(X), rtol=1e-4, atol=rounded)
    assert np.allclose(alone, scores[:1], rtol=1e-4, atol=rounded)


@pytest.mark.parametrize("rows", [anchored(), cl.ItemEmbeddings(some_rows())])
def test_the_same_is_recommended(tmp_path, rows):
    packed = rows.pack(path=tmp_path / "rows")
    X = users_of(packed.shape[0])
    for users, seen in ((X, True), (X, False), (X[:2], True), (X[:1], False), (X[:0], True)):
        items, scores = packed.recommend(users, 5, seen)
        expected = packed.unpack().recommend(users, 5, seen)
        assert np.array_equal(items, expected[0])
        assert np.allclose(scores, expected[1], atol=1e-4)
    with pytest.raises(DataError, match="use the same item order"):
        packed.score(X[:, 1:])


@pytest.mark.parametrize("rows", [anchored(), cl.ItemEmbeddings(some_rows())])
def test_rows_are_packed_in_memory_and_saved(tmp_path, rows):
    """Without a path nothing is written; the file that `save` writes is the one of a path."""
    rows = cl.ItemEmbeddings(rows.matrix, [f"ü {i}" for i in range(rows.matrix.shape[0])],
                             {"dataset": "ü"}, rows.input_scales)  # fmt: skip
    packed, X = rows.pack(), users_of(rows.matrix.shape[0])
    assert packed.bits == 4 and packed.path is None
    path = packed.save(tmp_path / "saved" / "rows")
    again, written = cl.PackedEmbeddings.load(path), rows.pack(bits=4, path=tmp_path / "written")
    assert path.read_bytes() == written.path.read_bytes() and again.path == path
    assert again.bytes_per_item == packed.bytes_per_item
    assert again.about == packed.about and list(again.item_ids) == list(packed.item_ids)
    for found, expected in (
        (packed.recommend(X, 5), again.recommend(X, 5)),
        (packed.similar([3], 5), again.similar([3], 5)),
        ([packed.score(X)], [again.score(X)]),
        ([packed.encode(X).toarray()], [again.encode(X).toarray()]),
        ([packed.unpack().matrix.toarray()], [again.unpack().matrix.toarray()]),
    ):
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    again.save(path)  # over the file that it is read from
    assert np.array_equal(again.score(X), cl.PackedEmbeddings.load(path).score(X))


def test_users_latents_are_sparse_where_rows_are(tmp_path):
    X = users_of(40)
    for rows in (cl.ItemEmbeddings(some_rows()), cl.ItemEmbeddings(some_rows(density=1))):
        packed = rows.pack(path=tmp_path / "rows")
        found, expected = packed.encode(X), packed.unpack().encode(X)
        assert issparse(found) == issparse(expected) != rows.is_dense
        assert np.allclose((found - expected).sum(), 0, atol=1e-4)


def test_a_row_by_hand(tmp_path):
    """3.5 and −0.5 are the levels 7 and 3 of scale 1, at 1 and 3 of 4: two bits an index."""
    row = cl.ItemEmbeddings(csr_matrix(np.array([[0, 3.5, 0, -0.5]])))
    packed = row.pack(3, tmp_path / "row")
    with np.load(tmp_path / "row") as stored:
        assert stored["words"].tolist() == [7 + (3 << 3) + (1 << 6) + (3 << 8), 0]
    assert packed.unpack().matrix.toarray().tolist() == row.matrix.toarray().tolist()
    assert packed.bytes_per_item == 16


def test_gaps_by_hand(tmp_path):
    """Latents 0, 1, 2 and 21 of 128: gaps 0, 0, 0, 18; remainders of 3 bits and a quotient of 2."""
    row = np.zeros((1, 128), np.float32)
    row[0, [0, 1, 2, 21]] = 1
    packed = cl.ItemEmbeddings(csr_matrix(row)).pack(3, tmp_path / "row")
    assert header_of(tmp_path / "row")["coding"] == RICE
    indices = packed._layout.words[0] >> np.uint64(4 * 3)
    assert indices == (0b11 << 12) + (0b010 << 15)
    assert packed.unpack().matrix.indices.tolist() == [0, 1, 2, 21]


@pytest.mark.parametrize("far", [57 << 2, 58 << 2, 500, 3895])
def test_a_gap_of_more_bits_than_a_window(tmp_path, far):
    """After many small gaps, one whose quotient in unary is longer than 57 bits; and one after."""
    row = np.zeros((3, 4096), np.float32)
    row[:, :199] = row[:, 199 + far] = row[:, -1] = 0.5
    packed = cl.ItemEmbeddings(csr_matrix(row)).pack(path=tmp_path / "rows")
    assert header_of(tmp_path / "rows")["coding"] == RICE
    assert np.array_equal(packed.unpack().matrix.toarray(), row)
    X = csr_matrix(np.eye(3, dtype=np.float32))
    expected = row @ row.T - np.eye(3)
    for users in (X, X[:1]):
        assert np.allclose(packed.score(users), expected[: users.shape[0]], rtol=1e-5)


def test_values_that_are_levels_stay_as_they_are(tmp_path):
    """All levels of one scale, the largest in each row: nothing is lost, not a bit."""
    for bits in BITS:
        levels = (np.arange(2**bits) - 2 ** (bits - 1) + 0.5).astype(np.float32)
        rows = np.zeros((3, 1000), np.float32)
        for row in rows:
            row[::3][: len(levels)] = np.roll(levels, 5) / 4
        packed = cl.ItemEmbeddings(csr_matrix(rows)).pack(bits, tmp_path / "rows")
        assert np.array_equal(packed.unpack().matrix.toarray(), rows)


@pytest.mark.parametrize("bits", [3, 4])
def test_a_scale_loses_less_than_that_of_the_largest_value(tmp_path, bits):
    rows = np.random.default_rng(0).normal(size=(50, 20)).astype(np.float32)
    found = cl.ItemEmbeddings(csr_matrix(rows)).pack(bits, tmp_path / "rows").unpack()
    largest = sum(error_with_largest(row, bits, signed=True) for row in rows)
    assert ((found.matrix.toarray() - rows) ** 2).sum() < 0.9 * largest


@pytest.mark.parametrize("bits", BITS)
def test_values_of_one_sign_have_finer_levels(tmp_path, bits):
    rows = some_rows(density=0.5, lowest=0.001)
    errors = []
    for signed in (False, True):
        if signed:
            rows.data[0] *= -1
        found = cl.ItemEmbeddings(rows).pack(bits, tmp_path / "rows").unpack()
        errors.append(((found.matrix - rows).data ** 2).sum())
    assert errors[0] < errors[1] / 2


def test_every_coding_of_indices_is_used_where_it_is_the_smallest(tmp_path):
    full = cl.ItemEmbeddings(csr_matrix(np.ones((5, 9))))
    alone = cl.ItemEmbeddings(csr_matrix(([1.0] * 5, [63] * 5, range(6)), shape=(5, 64)))
    many = cl.ItemEmbeddings(some_rows(width=500, density=0.1))
    for rows, coding in ((full, FULL), (alone, FIXED), (many, RICE)):
        packed = rows.pack(path=tmp_path / "rows")
        assert header_of(tmp_path / "rows")["coding"] == coding
        assert np.array_equal(packed.unpack().matrix.indices, rows.matrix.indices)
    fixed = 9 * many.matrix.nnz  # bits of 500 latents
    head = header_of(tmp_path / "rows")["head_bits"]
    bits = 8 * packed.bytes_per_item * 40 - 40 * sum(head) - 4 * many.matrix.nnz
    assert bits < 0.7 * fixed


def test_dense_rows_are_packed_without_indices(tmp_path):
    """64 values of 4 bits and a scale of one byte."""
    dense = np.random.default_rng(0).normal(size=(200, 64))
    rows = cl.ItemEmbeddings(csr_matrix(dense))
    packed = rows.pack(4, tmp_path / "rows")
    assert packed.bytes_per_item == pytest.approx(64 * 4 / 8 + 1, abs=0.1)
    X = users_of(200)
    assert np.allclose(packed.score(X), packed.unpack().score(X), atol=1e-3)


def test_what_is_implied_takes_no_bytes(tmp_path):
    """The own latent of anchored rows has no index; what all rows have in common is in the head."""
    alone = cl.ItemEmbeddings(csr_matrix(2 * np.eye(640)), input_scales=np.full(640, 0.5))
    packed = alone.pack(path=tmp_path / "rows")
    assert packed.bytes_per_item == 16 / 640
    assert header_of(tmp_path / "rows")["head_bits"] == [0, 0, 0, 0]
    assert np.array_equal(packed.unpack().matrix.toarray(), 2 * np.eye(640))
    assert (packed.unpack().input_scales == 0.5).all()
    scaled = cl.ItemEmbeddings(alone.matrix, input_scales=np.geomspace(0.5, 2, 640))
    assert scaled.pack(path=tmp_path / "rows").bytes_per_item == pytest.approx(1, abs=0.1)


def test_stored_zeros_are_left_out(tmp_path):
    rows = some_rows()
    rows.data[::3] = 0
    found = cl.ItemEmbeddings(rows).pack(path=tmp_path / "rows").unpack().matrix
    assert found.nnz == np.count_nonzero(rows.data)
    assert np.array_equal(found.toarray() != 0, rows.toarray() != 0)


def test_scales_far_apart_take_two_bytes(tmp_path):
    for far, wide in ((1.5, 8), (1e14, 16)):
        rows = cl.ItemEmbeddings(csr_matrix(np.diag(np.geomspace(1 / far, far, 50))[:, :49]))
        packed = rows.pack(path=tmp_path / "rows")
        assert header_of(tmp_path / "rows")["head_bits"][1] == wide
        assert np.allclose(packed.unpack().matrix.data, rows.matrix.data, rtol=0.021, atol=0)


def test_ids_and_what_is_known_of_the_rows_are_kept_and_not_counted(tmp_path):
    sizes = set()
    for ids in (np.array([f"item {i}" for i in range(30)], dtype=object), np.arange(30)):
        rows = cl.ItemEmbeddings(anchored().matrix, ids, {"dataset": "ü"})
        packed = rows.pack(path=tmp_path / "new" / "rows")
        assert packed.about == {"dataset": "ü"} and packed.item_ids.tolist() == list(ids)
        assert packed.unpack().about == packed.about
        with np.load(packed.path) as stored:
            sizes.add(stored["words"].nbytes / 30)
        sizes.add(packed.bytes_per_item)
    assert len(sizes) == 1


def test_nothing_is_read_before_it_is_needed(tmp_path):
    words = anchored().pack(path=tmp_path / "rows")._layout.words
    assert isinstance(words.base, np.memmap) and not words.flags.writeable


def test_rows_without_packing():
    """Two values, two indices, three offsets; two input scales."""
    matrix = csr_matrix(np.diag([1.0, 2.0]))
    assert csr_bytes_per_item(matrix) == (8 + 8 + 12) / 2
    assert csr_bytes_per_item(matrix, np.ones(2)) == (8 + 8 + 12 + 8) / 2


@pytest.mark.parametrize("bits", [2, 5, 16, True, "4", 4.0, None])
def test_other_bits_are_refused(tmp_path, bits):
    with pytest.raises(ConfigError, match="one of 3, 4, 8"):
        anchored().pack(bits, tmp_path / "rows")
    assert not (tmp_path / "rows").exists()


def test_no_changed_byte_goes_unnoticed(tmp_path):
    """Each byte in turn: an error that names the file, or a byte without meaning."""
    path = tmp_path / "rows"
    before = anchored(items=5).pack(path=path).unpack()
    whole = path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << (place % 8)
        path.write_bytes(changed)
        try:
            after = cl.PackedEmbeddings.load(path).unpack()
        except StorageError as error:
            assert str(path) in str(error)
        else:
            assert np.array_equal(after.matrix.toarray(), before.matrix.toarray())
            assert np.array_equal(after.input_scales, before.input_scales)
            assert np.array_equal(after.item_ids, before.item_ids)


@pytest.mark.parametrize("left", [0, 1, 100, -1000, -1])
def test_a_truncated_file_is_refused(tmp_path, left):
    path = anchored().pack(path=tmp_path / "rows").path
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(StorageError, match="rows is not a file of packed"):
        cl.PackedEmbeddings.load(path)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(StorageError, match="no file"):
        cl.PackedEmbeddings.load(tmp_path / "none")
    path = anchored().save(tmp_path / "rows.npz")
    with pytest.raises(StorageError, match="holds celsa-item-embeddings version"):
        cl.PackedEmbeddings.load(path)
    path = anchored().pack(path=tmp_path / "rows.npz").path
    with pytest.raises(StorageError, match="holds celsa-packed-embeddings version 2"):
        cl.ItemEmbeddings.load(path)


def rewritten(path, compress=False, **changes):
    """The packed file with other arrays, or other entries of its header."""
    with np.load(path) as stored:
        arrays = dict(stored)
    header = json.loads(str(arrays.pop("header"))) | changes.pop("header", {})
    del arrays["checksum"]  # of what it was
    save_arrays(path, header, arrays | changes, compress)


@pytest.mark.parametrize(
    "changes",
    [
        {"header": {"shape": [30, 7]}},
        {"header": {"shape": [40, 30]}},
        {"header": {"longest": 1}},
        {"header": {"bits": 8}},
        {"header": {"version": 1}},
        {"words": np.full(40, 2**64 - 1, np.uint64)},
        {"item_ids": np.arange(7)},
        {"compress": True},
    ],
)
def test_parts_that_do_not_fit_together_are_refused(tmp_path, changes):
    path = anchored().pack(path=tmp_path / "rows.npz").path
    rewritten(path)
    cl.PackedEmbeddings.load(path)
    rewritten(path, **changes)
    with pytest.raises(StorageError, match="rows.npz"):
        cl.PackedEmbeddings.load(path)


def test_released_rows_lose_nothing_at_four_bits(real_data, tmp_path):
    """26 bytes where the paper counts 128."""
    users = load_goodbooks_test_users(real_data)
    rows, folds = cl.ItemEmbeddings(users.released, users.item_ids), cl.holdout_folds(users.X[:400])
    expected = cl.evaluate(rows, folds).mean["ndcg@100"]
    for bits, size, most in ((8, 35, 0.0005), (4, 26, 0.001), (3, 24, 0.004)):
        packed = rows.pack(bits, tmp_path / "rows")
        assert size - 1 < packed.bytes_per_item < size
        assert cl.evaluate(packed, folds).mean["ndcg@100"] == pytest.approx(expected, abs=most)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize(
    "model",
    [PrunedEASE(20.0, 5), PrunedEASE(20.0, 5, "matrix", refit=True), SparseMRF(1.0, 5)],
    ids=["row", "refitted", "mrf"],
)
def test_item_weights_are_scored_from_their_file(tmp_path, model, bits):
    """x·B of the weights that the file holds, which are near the model's; nothing is taken off."""
    ids = np.array([f"item {i}" for i in range(40)])
    packed = model.fit(users_of(40).sign(), ids).pack(bits, tmp_path / "weights")
    assert np.array_equal(packed.score(users_of(40)), model.pack(bits).score(users_of(40)))
    assert isinstance(packed, PackedWeights) and packed.item_ids.tolist() == ids.tolist()
    held, X = packed.rows()[0], users_of(40)
    assert np.array_equal(held.toarray() != 0, model.weights_.toarray() != 0)
    lost = np.linalg.norm(held.data - model.weights_.data)
    assert lost < 2.0 ** (1 - bits) * np.linalg.norm(model.weights_.data)
    assert np.allclose(packed.score(X), (X @ held).toarray(), atol=1e-5)
    items, scores = packed.recommend(X, 3)
    assert (np.take_along_axis(packed.score(X), items, axis=1) == scores).all()
    assert (np.take_along_axis(X.toarray(), items, axis=1) == 0).all()
    again = PackedWeights.load(packed.path)
    assert again.bytes_per_item == packed.bytes_per_item < model.bytes_per_item


def test_weights_and_embeddings_are_not_taken_for_each_other(tmp_path):
    with pytest.raises(NotFittedError):
        PrunedEASE().pack(path=tmp_path / "weights")
    path = SparseMRF(1.0, 5).fit(users_of(40).sign()).pack(path=tmp_path / "weights").path
    with pytest.raises(StorageError, match="holds celsa-packed-weights"):
        cl.PackedEmbeddings.load(path)
    path = anchored().pack(path=tmp_path / "rows").path
    with pytest.raises(StorageError, match="holds celsa-packed-embeddings"):
        PackedWeights.load(path)
    with pytest.raises(DataError, match="the item embeddings have 30"):
        cl.PackedEmbeddings.load(path).score(users_of(40))
