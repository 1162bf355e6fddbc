"""Damaged files of every format are refused by a clear error, or read as what they hold."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from fuzz import fuzz
from fuzz_formats import FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_refused_or_read(name, monkeypatch):
    monkeypatch.setenv("CELSA_OFFLINE", "1")
    counts, faults = fuzz(FORMATS[name], inputs=100)
    assert not faults
    assert counts["refused"] >= 50  # the faults are faults


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_many_damaged_files_are_refused_or_read(name, monkeypatch):
    monkeypatch.setenv("CELSA_OFFLINE", "1")
    assert not fuzz(FORMATS[name], inputs=1_000, seed=1)[1]
