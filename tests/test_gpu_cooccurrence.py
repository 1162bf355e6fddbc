"""Counts by dense products, which a GPU makes, are those of the CPU's loops; here on a CPU."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from celsa_lib.kernels import gpu_cooccurrence
from celsa_lib.kernels.cooccurrence import ranks_in_rows
from celsa_lib.training import anchored
from celsa_lib.training.anchored import CountsOnCpu, CountsOnGpu, counts_of, neighbourhoods

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture
def X() -> csr_matrix:
    """Many ties, items that are seen alone or by no one, and a user who has seen nothing."""
    X = (np.random.default_rng(0).random((41, 30)) < 0.08).astype(np.float32)
    X[:, 7], X[5], X[3] = 0, 0, 0
    X[3, 11], X[:3, 11], X[4:, 11] = 1, 0, 0
    return csr_matrix(X)


@pytest.mark.parametrize("at_once", [2**25, 64])
def test_the_same_neighbours_and_blocks(X, at_once, monkeypatch):
    """All at once, and in blocks of two users and of two items."""
    monkeypatch.setattr(gpu_cooccurrence, "USERS_AT_ONCE", at_once)
    monkeypatch.setattr(gpu_cooccurrence, "SORTED_AT_ONCE", at_once)
    ours, theirs = CountsOnGpu(X, DEVICE), CountsOnCpu(X)
    assert np.array_equal(ours.counts.cpu().numpy(), (X.T @ X).toarray())
    everyone = np.arange(30, dtype=np.int32)
    for n in (4, 29):
        found = ours.closest(n, everyone)
        assert found.dtype == np.int32 and np.array_equal(found, theirs.closest(n, everyone))
    assert (found[7] == -1).all() and (found[11] == -1).all() and (found == -1).any(axis=1).all()
    members = np.concatenate([np.arange(30, dtype=np.int32)[:, None], found], axis=1)
    expected = theirs.blocks(members, 20.0)
    assert torch.equal(ours.blocks(members, 20.0).cpu(), expected)


def test_the_same_partial_correlations_where_the_card_has_room(X, monkeypatch):
    expected = neighbourhoods(X, 5.0, torch.device("cpu"))
    monkeypatch.setattr(anchored, "free_memory", lambda device: (2**40, 2**40))
    assert isinstance(counts_of(X, DEVICE), CountsOnGpu)
    found = neighbourhoods(X, 5.0, DEVICE)
    tolerance = 0 if DEVICE.type == "cpu" else 1e-5
    assert abs(found.partial - expected.partial).max() <= tolerance
    assert np.allclose(found.precision, expected.precision, rtol=tolerance, atol=0)
    monkeypatch.setattr(anchored, "free_memory", lambda device: (1000, 2**40))
    assert isinstance(counts_of(X, DEVICE), CountsOnCpu)


def test_neighbours_are_found_on_the_cpu_where_the_card_has_no_room_after_all(
    X, monkeypatch, caplog
):
    expected, invert, tried = neighbourhoods(X, 5.0, DEVICE), torch.linalg.inv, []

    def refuse_once(blocks):
        tried.append(1)
        if len(tried) == 1:
            raise torch.OutOfMemoryError("no room")
        return invert(blocks)

    monkeypatch.setattr(torch.linalg, "inv", refuse_once)
    found = neighbourhoods(X, 5.0, DEVICE)
    assert np.allclose((found.partial - expected.partial).data, 0, atol=1e-5)
    assert "looking for neighbours on the CPU, as the GPU has no room" in caplog.text


@pytest.mark.parametrize("most", [0, 31, 90, 10_000])
@pytest.mark.parametrize("of_row", [0, 2])
def test_the_threshold_keeps_the_same_entries(of_row, most):
    """Few values, so that ties are many; rows without entries; more asked for than there are."""
    rng = np.random.default_rng(0)
    starts = np.concatenate([[0], np.cumsum(rng.integers(0, 9, 40))]).astype(np.int32)
    sizes = rng.integers(1, 6, starts[-1]).astype(np.float32)
    found = gpu_cooccurrence.kept_entries(starts, sizes, of_row, most, DEVICE)
    expected = ranks_in_rows(starts, sizes) < of_row
    expected |= anchored._largest(sizes, ~expected, max(0, most - int(expected.sum())))
    assert found.dtype == bool and np.array_equal(found, expected)
