"""SANSA: the authors' package behind our protocol, where it is installed."""

import sys

import numpy as np
import pytest

import celsa_lib as cl
from celsa_lib.models import SANSA


def test_without_its_package_it_says_how_to_get_it(histories, monkeypatch):
    monkeypatch.setitem(sys.modules, "sansa", None)
    with pytest.raises(cl.CelsaError, match=r"pip install \"celsa\[bench\]\""):
        SANSA().fit(histories)


def test_its_weights_rank_as_ease_does_when_nothing_is_left_out(histories):
    pytest.importorskip("sansa")
    n_items = histories.shape[1]
    model = SANSA(reg=20.0, nnz=n_items).fit(histories)
    ease = cl.EASE(reg=20.0).fit(histories)
    ours, theirs = model.recommend(histories, 10)[0], ease.recommend(histories, 10)[0]
    shared = [len(set(a) & set(b)) / 10 for a, b in zip(ours, theirs, strict=True)]
    assert np.mean(shared) > 0.9


def test_its_size_counts_one_pattern_and_two_numbers_per_item(histories):
    pytest.importorskip("sansa")
    model = SANSA(reg=20.0, nnz=8).fit(histories)
    assert model.weights_.nnz <= 7 * histories.shape[1]
    assert model.bytes_per_item <= 64
    with pytest.raises(cl.CelsaError, match="nnz must be a whole number, at least 2"):
        SANSA(nnz=1)
