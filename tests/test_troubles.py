"""Troubles that users of other packages reported: each comes out right, and each can come wrong."""

import re
import sys
from pathlib import Path

import pytest

from celsa_lib.report.faults import trouble_counts, troubles_table
from celsa_lib.results import Result

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from trouble_kind import Trouble, equal, refusal
from troubles import TROUBLES, outcome


@pytest.mark.parametrize(
    "trouble",
    [pytest.param(t, id=t.source, marks=[pytest.mark.slow] if t.slow else []) for t in TROUBLES],
)
def test_it_comes_out_right(trouble, tmp_path):
    assert trouble.meet(tmp_path)


def test_each_is_of_another_report():
    sources = [trouble.source for trouble in TROUBLES]
    assert len(sources) == len(set(sources)) > 40
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", source) for source in sources)


@pytest.mark.parametrize(
    "meet",
    [
        lambda folder: equal([1], [2]),
        lambda folder: refusal(lambda: "read"),
        lambda folder: {}["no such key"],
    ],
    ids=["another value", "accepted", "an exception"],
)
def test_what_is_not_right_is_told(meet):
    right, came = outcome(Trouble("tables", "a/b#1", "x", "y", meet))
    assert not right and came


def test_the_tables_count_and_show_each():
    shared = {"section": "troubles", "trouble": "a", "wanted": "b", "came": "c"}
    rows = [
        shared | {"kind": "tables", "source": "a/b#1", "right": 1},
        shared | {"kind": "tables", "source": "a/b#2", "right": 0},
        shared | {"kind": "models", "source": "a/b#3", "right": 1},
    ]
    counts = trouble_counts(Result({}, rows))
    assert counts.to_numpy().tolist() == [["tables", 2, 1], ["models", 1, 1], ["all", 3, 2]]
    assert troubles_table(Result({}, rows))["it is"].tolist() == ["right", "wrong", "right"]
