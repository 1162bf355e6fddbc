"""Trainings on a GPU that begin with rows, or exchange their entries, are those of a CPU."""

import os
import warnings

import numpy as np
import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # before triton is first imported
pytest.importorskip("triton")

import celsa_lib as cl
from celsa_lib.data.synthetic import make_synthetic

SHARED = {"nnz": 4, "batch_size": 24, "epochs": 2, "progress": False}


@pytest.fixture(scope="module")
def X():
    """So full that every item overlaps with others: see test_gpu.py."""
    return make_synthetic(n_users=24, n_items=12, n_segments=4, mean_interactions=8.0).X


def assert_same(ours, theirs) -> None:
    """Losses within 1e-4 (relative), the same places, values within 1e-2."""
    losses = [[entry["loss"] for entry in model.history_] for model in (ours, theirs)]
    assert np.allclose(*losses, rtol=1e-4)
    rows = [model.item_embeddings.matrix for model in (ours, theirs)]
    assert (rows[0] != 0).nnz == rows[0].nnz and not ((rows[0] != 0) != (rows[1] != 0)).nnz
    assert abs(rows[0] - rows[1]).max() < 1e-2
    assert "triton-sparse" in ours.backend_ and "triton" not in theirs.backend_


@pytest.mark.parametrize(
    "parameters",
    [
        {"recipe": "recommended", "dropout": 0.2},
        {"width": 40, "schedule": "constant"},
    ],
)
def test_entries_are_exchanged_as_on_a_cpu(X, parameters):
    """Between epochs, of rows of any length and of even ones; moments and columns go along."""
    given = SHARED | parameters
    ours, theirs, kept = (
        cl.CompressedELSA(**given, backend=backend, regrowth=share).fit(X)
        for backend, share in (("triton", 0.5), ("sparse", 0.5), ("sparse", 0.0))
    )
    assert_same(ours, theirs)
    places = [model.item_embeddings.matrix != 0 for model in (theirs, kept)]
    assert (places[0] != places[1]).nnz > 2, "something was exchanged"


def test_training_goes_on_from_rows_as_on_a_cpu(X):
    """Two items are new, and have rows in closed form; scales and moments begin anew."""
    known = np.arange(10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an epoch of two steps
        recommended = {"recipe": "recommended", **SHARED}
        start = cl.CompressedELSA(**recommended).fit(X[:, :10], known).item_embeddings
        ours, theirs = (
            cl.CompressedELSA(backend=backend, **recommended).fit(X, np.arange(12), start=start)
            for backend in ("triton", "sparse")
        )
    assert_same(ours, theirs)
    assert np.allclose(
        ours.item_embeddings.input_scales, theirs.item_embeddings.input_scales, rtol=1e-3
    )
