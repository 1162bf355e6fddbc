"""The benchmark on a GPU ends in time, and its kernel reads what it says; here on a CPU."""

import os
import sys
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # before triton is first imported
pytest.importorskip("triton")
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from time_budget import TimeBudget

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def test_a_part_begins_no_row_when_its_time_is_up():
    """Each look at the clock takes a second: one at the start, two a part, one a row."""
    budget = TimeBudget(20, clock=count().__next__)
    rows = ({"section": "a", "n": n} for n in count())
    found = list(budget.part("endless", 4, rows))
    assert [row.get("n") for row in found] == [0, 1, None]
    assert found[-1] == {"section": "left out", "part": "endless", "after": 4}
    assert next(rows)["n"] == 2, "no row was begun and lost"
    assert list(budget.part("short", 5, [{"section": "b"}])) == [{"section": "b"}]
    late = list(budget.part("late", 100, rows))
    assert late[-1]["part"] == "late" and len(late) < 20


def test_the_parts_of_the_benchmark_end_before_the_system_ends_it(histories):
    import gpu_cost

    parts = gpu_cost.parts_of(histories, "goodbooks")
    names = [name for name, _, _ in parts]
    assert len(set(names)) == len(names)
    assert sum(seconds for _, seconds, _ in parts) <= gpu_cost.MEASURING < gpu_cost.LIMIT < 240


def test_the_cache_is_read_as_often_as_is_counted():
    """Whole numbers, whose sums are exact: every program reads each block in its turn."""
    from gpu_limits import read_again

    blocks, block, times = 5, 8, 7
    source = torch.arange(float(blocks * block), device=DEVICE)
    sums = torch.empty(blocks, device=DEVICE)
    read_again[(blocks,)](source, sums, blocks, times, BLOCK=block)
    of_block = source.view(blocks, block).sum(1).cpu().numpy()
    turns = (np.arange(blocks)[:, None] + 97 * np.arange(times)) % blocks
    assert np.array_equal(sums.cpu().numpy(), of_block[turns].sum(1))
