"""Schedules: by hand, and properties for any width, target and epochs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celsa_lib import CelsaError
from celsa_lib.models.schedules import SCHEDULES, levels, make_schedule


def ks(name, *arguments):
    return [(s.nnz, s.epochs) for s in make_schedule(name, *arguments)]


def test_ladder_of_the_paper():
    assert levels(4096, 16) == [4096, 1024, 512, 256, 128, 64, 32, 16]


def test_by_hand():
    assert ks("constant", 64, 8, 3) == [(8, 3)]
    assert ks("step-wise", 64, 8, 3) == [(64, 3), (16, 3), (8, 3)]
    assert ks("linear", 64, 8, 2) == [(64, 1), (50, 1), (36, 1), (22, 1), (8, 2)]
    # one dense epoch, then ⌊64·2^−(i/2+1)⌋ = 22, 16, 11 and, at 8, the target's own epochs
    assert ks("exponential", 64, 8, 2) == [(64, 1), (22, 1), (16, 1), (11, 1), (8, 2)]


def test_exponential_halves_every_e_epochs():
    stages = make_schedule("exponential", 4096, 16, 10)
    assert stages[0].nnz == 4096 and stages[10].nnz == 1024 and stages[20].nnz == 512
    assert sum(s.epochs for s in stages) == 80  # 1 dense, 69 falling, 10 at the target


@given(
    st.sampled_from(sorted(SCHEDULES)),
    st.integers(1, 600).flatmap(lambda w: st.tuples(st.just(w), st.integers(1, w))),
    st.integers(1, 12),
)
def test_every_schedule_ends_at_its_target(name, sizes, epochs):
    width, nnz = sizes
    stages = make_schedule(name, width, nnz, epochs)
    assert stages[-1].nnz == nnz and stages[-1].epochs == epochs
    falling = [s.nnz for s in stages]
    assert falling == sorted(falling, reverse=True)
    assert all(nnz <= k <= width for k in falling)
    if nnz < width and name != "constant":
        assert falling[0] == width and falling.count(nnz) == 1
    assert all(s.dynamic == (name == "constant" and nnz < width) for s in stages)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("cosine", 64, 8, 2), "choose one of"),
        (("linear", 64, 0, 2), "nnz must be a whole number"),
        (("linear", 64, 65, 2), "between 1 and the width"),
        (("linear", 64, 8, 0), "epochs must be a whole number, at least 1"),
    ],
)
def test_bad_schedules_are_errors(arguments, message):
    with pytest.raises(CelsaError, match=message):
        make_schedule(*arguments)
