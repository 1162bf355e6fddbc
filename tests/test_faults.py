"""Accidents of processes: killed, full, closed, slow, forked. The real commands survive them."""

import sys
from pathlib import Path

import numpy as np
import pytest

from celsa_lib.segments.naming.answers import leaks
from celsa_lib.segments.segmentation import _harmless

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from fault_list import FAULTS, prepare


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(f, id=f"{f.kind}, {f.name}", marks=[pytest.mark.slow] if f.slow else [])
        for f in FAULTS
    ],
)
def test_the_commands_survive(fault, tmp_path):
    prepare(tmp_path)
    fault.inject(tmp_path)


@pytest.mark.parametrize("cell", ["=1", " =1", "\t=1", "\u00a0=1", "＝1", " ＋1", "＠x", "-1"])
def test_a_cell_that_a_spreadsheet_would_run_is_quoted(cell):
    assert _harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["Alien", " Alien", "1=1", 7, np.float32(1.5)])
def test_other_cells_stay(cell):
    assert _harmless(cell) is cell


@pytest.mark.parametrize("between", ["", "\u200b", " ", "\n", "\u2060", "\u00ad"])
def test_a_key_is_found_whatever_stands_inside(between):
    key = "sk-abcdefgh12345678"
    assert leaks(f"no key {between.join(key)}!", key)
    assert not leaks("no key of ours", key)
