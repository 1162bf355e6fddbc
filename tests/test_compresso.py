"""compresso-recsys: the package of the paper's authors behind our protocol, where installed."""

import sys

import numpy as np
import pytest
import torch

import celsa_lib as cl
from celsa_lib.models import Compresso

SMALL = {"width": 16, "nnz": 3, "epochs": 3, "stage_epochs": 3, "batch_size": 16}


def small(**parameters) -> Compresso:
    """A model that trains in no time."""
    return Compresso(**SMALL | parameters, progress=False)


@pytest.fixture
def package():
    return pytest.importorskip("compresso_recsys").models


def test_without_its_package_it_says_how_to_get_it(histories, monkeypatch):
    monkeypatch.setitem(sys.modules, "compresso_recsys", None)
    with pytest.raises(cl.CelsaError, match=r"pip install \"celsa\[bench\]\""):
        small().fit(histories)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"nnz": 17}, "nnz must be between 1 and the width 16, got 17"),
        ({"stage_epochs": 0}, "stage_epochs must be a whole number, at least 1"),
        ({"seed": -1}, "seed must be a whole number, at least 0"),
        ({"learning_rate": 0}, "learning_rate must be a finite number above 0"),
    ],
)
def test_parameters_are_checked_without_the_package(wrong, message):
    with pytest.raises(cl.CelsaError, match=message):
        small(**wrong)


def test_rows_have_unit_length_and_as_many_nonzeros_as_were_asked_for(package, histories):
    rows = small().fit(histories).item_embeddings
    assert rows.matrix.shape == (60, 16) and rows.bytes_per_item == 24
    assert (np.diff(rows.matrix.indptr) == 3).all()
    assert np.allclose(np.linalg.norm(rows.matrix.toarray(), axis=1), 1, atol=1e-5)


def test_it_ranks_as_the_package_itself_does(package, histories):
    model = small(seed=3).fit(histories)
    compression = package.ELSACompressionConfig(3, max_epochs_per_stage=3)
    config = package.ELSAConfig(
        16, 16, epochs=3, lr=0.1, decay=True, seed=3, compression=compression, show_progress=False
    )
    theirs = package.ELSATrainer(config).fit(histories).predict(histories, k=5)
    items, scores = model.recommend(histories, 5)
    assert np.allclose(np.maximum(scores, 0), theirs.vals.numpy(), atol=1e-5)
    certain = scores > 1e-4  # the package has a ReLU, so that the others are all alike
    agreed = (items == theirs.cols.numpy())[certain]
    assert certain.any() and agreed.mean() > 0.95  # equal scores may swap


def test_finds_the_checkerboard(package, checkerboard):
    best, _ = small(epochs=20).fit(checkerboard).recommend(checkerboard, n=2)
    assert (best % 2 == np.arange(40)[:, None] % 2).mean() > 0.9


def test_k_falls_to_what_was_asked_for_and_then_values_are_trained(package, histories):
    history = small(stages=4).fit(histories).history_
    searched = [entry["nnz"] for entry in history if entry["phase"] == "mask_search"]
    assert sorted(set(searched), reverse=True) == [16, 9, 5]  # ⌊16·(3/16)^(s/3)⌋
    assert all(searched.count(k) <= 3 for k in searched)
    assert [entry["nnz"] for entry in history[len(searched) :]] == [3, 3, 3]


def test_a_seed_decides_it_and_nothing_else_is_touched(package, histories, capsys):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = small().fit(histories)
    assert torch.equal(torch.rand(3), expected)
    assert capsys.readouterr().out == ""
    again, other = small().fit(histories), small(seed=1).fit(histories)
    rows = [model.item_embeddings.matrix for model in (first, again, other)]
    assert (rows[0] != rows[1]).nnz == 0 and (rows[0] != rows[2]).nnz > 0
