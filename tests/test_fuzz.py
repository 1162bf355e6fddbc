"""Damaged files of every format are refused by a clear error, or read as what they hold."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from fuzz import fuzz
from fuzz_formats import FORMATS

ARCHIVES = ("item embeddings", "packed rows", "segments", "checkpoint")


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_refused_or_read(name, monkeypatch):
    monkeypatch.setenv("CELSA_OFFLINE", "1")
    counts, faults = fuzz(FORMATS[name], inputs=100)
    assert not faults
    assert counts["refused"] >= 50  # the faults are faults


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_forged_archive_is_refused_or_read(name):
    """Its checksum is that of what it holds: what it holds is checked too."""
    assert not fuzz(FORMATS[name], inputs=50, resealed=True)[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_many_damaged_files_are_refused_or_read(name, monkeypatch):
    monkeypatch.setenv("CELSA_OFFLINE", "1")
    assert not fuzz(FORMATS[name], inputs=1_000, seed=1)[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHIVES)
def test_many_forged_archives_are_refused_or_read(name):
    assert not fuzz(FORMATS[name], inputs=1_000, seed=1, resealed=True)[1]
