"""Regrowth by gradient: a step by hand, what it keeps, its gradient, and whole trainings."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.errors import ConfigError
from celsa_lib.training import Checkpoint, TrainingOptions, Validation, loop, regrowth
from celsa_lib.training.batches import user_batch
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.objective import reconstruction_loss, unit_rows
from celsa_lib.training.regrowth import block_gradients, exchange
from celsa_lib.training.rows import Rows, full_rows, hashed_rows

CPU = torch.device("cpu")
QUIET = {"batch_size": 32, "progress": False}


def ragged(lengths, width: int, seed: int = 0, kind=torch.float32) -> Rows:
    """Random rows of these lengths."""
    rng = np.random.default_rng(seed)
    cols = [np.sort(rng.choice(width, length, replace=False)) for length in lengths]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return Rows(
        torch.from_numpy(rng.normal(size=starts[-1])).to(kind),
        torch.from_numpy(np.concatenate(cols).astype(np.int32)),
        width,
        torch.from_numpy(starts.astype(np.int32)),
    )


def started(rows: Rows) -> Nadam:
    """An optimiser with moments of 1."""
    return Nadam(torch.ones_like(rows.values), torch.ones_like(rows.values))


@pytest.mark.parametrize(
    ("non_negative", "cols", "values"),
    [
        (False, [[0, 1], [0, 1]], [[3.0, 0.0], [0.0, 2.0]]),
        (True, [[0, 3], [1, 3]], [[3.0, 0.0], [2.0, 0.5]]),
    ],
)
def test_an_exchange_by_hand(histories, monkeypatch, non_negative, cols, values):
    """Half of each row of two: the smaller goes, and the largest gradient comes of those that are
    not there. Held at 0 or above, a positive gradient raises nothing: the second row stays.
    """
    rows = Rows(
        torch.tensor([[3.0, -1.0], [2.0, 0.5]]),
        torch.tensor([[0, 2], [1, 3]], dtype=torch.int32),
        4,
    )
    gradient = np.array([[9.0, 6.0, -5.0, -2.0], [7.0, 0.0, 4.0, 1.0]], np.float32)
    monkeypatch.setattr(regrowth, "block_gradients", lambda *_: [(slice(0, 2), gradient.copy())])
    options, optimiser = TrainingOptions(non_negative=non_negative), started(rows)
    found = exchange(rows, optimiser, 0.5, histories, options, np.random.default_rng(0))
    assert found.cols.tolist() == cols and found.cols.dtype == torch.int32
    assert found.values.tolist() == values
    new = (found.values == 0).float()
    assert torch.equal(optimiser.m, 1 - new) and torch.equal(optimiser.v, 1 - new)
    assert rows.values[0, 1] == -1.0  # what others start from is left as it was


def test_an_anchored_row_keeps_its_own_latent(histories):
    """Be it the smallest; a row that has nothing else exchanges nothing."""
    rows = ragged(np.r_[1, np.full(59, 4)], 60)
    for i, (first, last) in enumerate(pairwise(rows.starts.tolist())):
        others = np.setdiff1d(rows.cols[first:last], [i])[: last - first - 1]
        rows.cols[first:last] = torch.from_numpy(np.sort(np.append(others, i)).astype(np.int32))
        rows.values[first:last][rows.cols[first:last] == i] = 1e-6
    options, rng = TrainingOptions(), np.random.default_rng(0)
    found = exchange(rows, started(rows), 0.99, histories, options, rng)
    own = np.repeat(np.arange(60), np.diff(rows.starts)) == found.cols.numpy()
    assert own.sum() == 60 and (found.values[own] == np.float32(1e-6)).all()
    assert (found.values == 0).sum() > 60 and found.values[0] == np.float32(1e-6)


def test_where_nothing_can_be_exchanged_no_gradient_is_made(histories, monkeypatch):
    """Full rows, and a share that comes to no nonzero of any row."""
    monkeypatch.setattr(regrowth, "block_gradients", None)
    for rows, share in ((full_rows(torch.ones(60, 8)), 0.5), (ragged([3] * 60, 8), 0.1)):
        options, rng = TrainingOptions(), np.random.default_rng(0)
        assert exchange(rows, started(rows), share, histories, options, rng) is rows


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 12), min_size=60, max_size=60), st.floats(0.01, 0.99),
    st.integers(0, 99), st.booleans(),
)  # fmt: skip
def test_an_exchange_keeps_the_length_of_rows(lengths, share, seed, non_negative):
    """Columns stay distinct and ascending; what stays is no smaller than what goes."""
    rows, rng = ragged(lengths, 12, seed), np.random.default_rng(seed)
    X = csr_matrix((rng.random((40, 60)) < 0.2).astype(np.float32))
    options = TrainingOptions(dropout=0.3, non_negative=non_negative)
    found = exchange(rows, started(rows), share, X, options, rng)
    found.require_valid(60)
    for (first, last), length in zip(pairwise(rows.starts.tolist()), lengths, strict=True):
        old = dict(zip(rows.cols[first:last].tolist(), rows.values[first:last].abs(), strict=True))
        cols = found.cols[first:last].tolist()
        assert cols == sorted(set(cols)) and len(cols) == length
        gone = [size for col, size in old.items() if col not in cols]
        assert len(gone) <= round(share * length)
        stayed = [size for col, size in old.items() if col in cols]
        assert not gone or not stayed or max(gone) <= min(stayed)
        grown = [v for col, v in zip(cols, found.values[first:last], strict=True) if col not in old]
        assert len(grown) == len(gone) and not any(grown)


@pytest.mark.parametrize("cap", [None, 0.5])
@pytest.mark.parametrize("scales", [False, True])
def test_the_gradient_is_autograds_in_float64(histories, monkeypatch, scales, cap):
    """Of the unit rows, also where they have no entry; a few rows at a time.

    Rows and histories are so full that all overlap: an item that does not is at ReLU's kink.
    """
    monkeypatch.setattr(regrowth, "MOST_ENTRIES", 7 * 12)
    rows = ragged(np.random.default_rng(1).integers(7, 11, 60), 12, kind=torch.float64)
    if scales:
        rows.scales = torch.from_numpy(np.random.default_rng(2).normal(scale=0.2, size=(6, 60)))
    users = np.flatnonzero(np.diff(histories.indptr) > 10)
    batch = user_batch(histories, users, CPU, dropout=(5, 0.3))
    A = torch.from_numpy(
        csr_matrix((rows.values, rows.cols, rows.starts), shape=(60, 12)).toarray()
    )
    unit = unit_rows(A).requires_grad_()
    both = rows.scales[:2].exp() if scales else None
    reconstruction_loss(unit, batch, cap, both).backward()
    found = list(block_gradients(rows, batch, cap))
    assert [block.start for block, _ in found] == list(range(0, 60, 7))
    gradient = np.concatenate([part for _, part in found])
    assert gradient.dtype == np.float64
    error = np.linalg.norm(gradient - unit.grad.numpy()) / unit.grad.norm().item()
    assert error < 1e-10


def test_the_share_falls_by_a_cosine_and_ends_before_the_mean():
    options = TrainingOptions(regrowth=0.4)
    shares = [options.exchanged(epoch, 8) for epoch in range(9)]
    assert shares[0] == 0.0 and shares[6:] == [0.0] * 3  # three quarters of eight
    assert shares[3] == pytest.approx(0.2) and sorted(shares[1:], reverse=True) == shares[1:]
    late = TrainingOptions(regrowth=0.4, weight_averaging=0.5)
    assert [late.exchanged(epoch, 8) > 0 for epoch in range(8)] == [0, 1, 1, 1, 0, 0, 0, 0]
    assert not any(TrainingOptions().exchanged(epoch, 8) for epoch in range(8))


KINDS = {
    "random": {"width": 16, "schedule": "constant"},
    "pruned": {"width": 16, "schedule": "exponential"},
    "anchored": {"support": "anchored"},
    "hashed": {"width": 16, "support": "hashed"},
    "recommended": {"recipe": "recommended", "dropout": 0.2},
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_regrown_in_whole_trainings(histories, kind):
    """With entries that a training without regrowth does not have, and no more of them."""
    fit = lambda **given: cl.CompressedELSA(  # noqa: E731
        nnz=4, epochs=4, **KINDS[kind], **QUIET, **given
    ).fit(histories)
    plain, ours = fit(), fit(regrowth=0.5)
    A, without = (m.item_embeddings.matrix for m in (ours, plain))
    assert A.nnz <= 4 * 60 and ((A != 0) != (without != 0)).nnz > 10
    assert ours.item_embeddings.is_anchored == (kind in ("anchored", "recommended"))
    assert ours.resolved_["regrowth"] == 0.5 and plain.resolved_["regrowth"] == 0.0


def test_a_start_at_random_keeps_no_more_than_its_budget(histories):
    model = cl.CompressedELSA(16, 3, "constant", epochs=6, regrowth=0.4, **QUIET).fit(histories)
    assert (np.diff(model.item_embeddings.matrix.indptr) == 3).all()
    assert not any(stage.dynamic for stage in model.stages)


def test_budgets_of_a_path_are_separate_trainings(histories):
    model = cl.CompressedELSA(16, regrowth=0.5, epochs=4, **QUIET)
    for nnz, found in model.fit_budgets(histories, (4, 2)).items():
        alone = cl.CompressedELSA(16, nnz, regrowth=0.5, epochs=4, **QUIET).fit(histories)
        assert (found.item_embeddings.matrix != alone.item_embeddings.matrix).nnz == 0


def test_a_run_goes_on_from_a_checkpoint_to_the_same_bits(histories, tmp_path):
    """Stopped after the second of six epochs, when entries have been exchanged once."""
    calls = []

    def stops(embeddings):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return 0.0

    parameters = {"nnz": 4, "recipe": "recommended", "regrowth": 0.5, "epochs": 6, **QUIET}
    kept = Checkpoint(tmp_path / "run.npz")
    with pytest.raises(KeyboardInterrupt):
        cl.CompressedELSA(callbacks=[Validation(stops), kept], **parameters).fit(histories)
    assert kept.path.exists()
    ours = cl.CompressedELSA(callbacks=[kept], **parameters).fit(histories)
    whole = cl.CompressedELSA(**parameters).fit(histories)
    assert (ours.item_embeddings.matrix != whole.item_embeddings.matrix).nnz == 0


def test_hashed_places_are_distinct_and_each_items_own():
    """Whatever other items are drawn with; all columns are about as often drawn."""
    rows = hashed_rows(3_000, 40, 7, seed=5)
    cols = rows.cols.numpy()
    assert rows.values.shape == cols.shape == (3_000, 7) and (np.diff(cols, axis=1) > 0).all()
    assert cols.min() == 0 and cols.max() == 39
    often = np.bincount(cols.ravel())
    assert abs(often / often.mean() - 1).max() < 0.2
    part = hashed_rows(3_000, 40, 7, 5, 1_500, 2_000)
    assert torch.equal(part.cols, rows.cols[1_500:2_000])
    assert torch.equal(part.values, rows.values[1_500:2_000])
    assert len(np.unique(cols, axis=0)) > 2_990
    assert not np.array_equal(hashed_rows(3_000, 40, 7, seed=6).cols, cols)
    assert (hashed_rows(9, 14, 7, seed=0).cols.diff(dim=1) > 0).all()


def test_nothing_dense_is_made_of_hashed_places(histories, monkeypatch):
    """Of one size or several; rows that begin full are never asked for."""
    monkeypatch.setattr(loop, "full_rows", None)
    model = cl.CompressedELSA(32, 4, support="hashed", epochs=2, **QUIET)
    budgets = model.fit_budgets(histories, (4, 2))
    alone = model.fit(histories).item_embeddings.matrix
    assert (budgets[4].item_embeddings.matrix != alone).nnz == 0
    assert [entry["nnz"] for entry in budgets[2].history_] == [2, 2]
    assert (np.diff(alone.indptr) == 4).all()
    with pytest.raises(ConfigError, match="nnz 17 is more than half of width 32"):
        cl.CompressedELSA(32, 17, support="hashed")
    with pytest.raises(ConfigError, match="hashed places belong to the paper's procedure"):
        cl.CompressedELSA(nnz=4, recipe="recommended", support="hashed")


def test_what_cannot_be_regrown_is_refused():
    with pytest.raises(ConfigError, match="leave regrowth or the moving support out"):
        cl.CompressedELSA(support="moving", regrowth=0.3)
    with pytest.raises(ConfigError, match="regrowth is a share from 0 up to 1"):
        cl.CompressedELSA(regrowth=1.0)
