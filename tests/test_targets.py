"""Targets and what is reached: outcomes by hand, and the tables of a page."""

import numpy as np
import pytest

from celsa_lib import report
from celsa_lib.evaluation import Difference
from celsa_lib.report import targets
from celsa_lib.report.base import Absent
from celsa_lib.results import METHOD_STUDY, Result, save_result

NONE = float("nan")


@pytest.mark.parametrize(
    ("found", "above", "not_below"),
    [
        (Difference(0.01, 0.002, 0.02), "reached", "reached"),
        (Difference(0.01, -0.002, 0.02), "undecided", "reached"),
        (Difference(-0.0005, -0.002, 0.001), "undecided", "reached"),
        (Difference(-0.002, -0.005, 0.001), "undecided", "undecided"),
        (Difference(-0.0005, -0.0008, -0.0001), "missed", "missed"),
        (Difference(-0.0005, NONE, NONE), "undecided", "reached"),
        (Difference(-0.05, NONE, NONE), "undecided", "missed"),
    ],
)
def test_an_interval_and_a_mean_decide(found, above, not_below):
    assert (targets.above(found), targets.not_below(found)) == (above, not_below)


def stored(tmp_path):
    """Two sizes of the recommended setting, whole EASE and pruned EASE."""
    rows, users = [], {}
    models = [
        ("Recommended setting", "CompressedELSA", 32, 0.40, 0.80),
        ("Recommended setting", "CompressedELSA", 128, 0.45, 0.95),
        ("EASE", "EASE", 3200, 0.44, 0.90),
        ("Pruned EASE", "PrunedEASE", 64, 0.41, 0.50),
        ("Pruned EASE", "PrunedEASE", 128, 0.43, 0.50),
    ]
    for label, method, size, level, coverage in models:
        values = level + np.linspace(-0.001, 0.001, 30)
        row = {"hash": f"{label} {size}", "label": label, "method": method, "budget_bytes": size}
        row |= {
            "params": {},
            "seed": 0,
            "seconds": 1.0,
            "seconds_fit": 1.0,
            "seconds_evaluate": 0.0,
        }
        row |= {"mean": {"ndcg@100": level}, "stderr": {"ndcg@100": 0.001}}
        rows.append(row | {"coverage@50": coverage, "rare recall@50": 0.1})
        users[row["hash"]] = values
    manifest = {"kind": METHOD_STUDY, "data": {"name": "x"}, "runs": {"now": {}}}
    save_result(Result(manifest, rows, users=users), tmp_path / "one.json")
    return {"One": ("one", "absent")}


def test_each_target_is_decided_by_what_is_stored(tmp_path):
    found = targets.measured_targets(stored(tmp_path), tmp_path)
    outcomes = {
        target: [(one.what, one.outcome) for one in measured]
        for (target, _), measured in found.items()
    }
    assert outcomes["128 bytes not below whole EASE"] == [("128 B, whole EASE", "reached")]
    assert outcomes["256 bytes not below whole EDLAE"] == []
    half = [("32 B, pruned EASE at 64 B", "missed")]
    assert outcomes["32 bytes above every baseline at 64"] == half
    assert outcomes["coverage at 50 not below that of whole EASE"] == [
        ("32 B: 0.800, EASE 0.900", "missed"),
        ("128 B: 0.950, EASE 0.900", "reached"),
    ]
    told = targets.told(found["coverage at 50 not below that of whole EASE", "One"])
    assert told == "missed in 1 of 2: -0.100, 32 B: 0.800, EASE 0.900"
    assert targets.told([]) == "–"
    others = found["not below them at any other size", "One"]
    assert [(one.what, one.outcome) for one in others] == [("32 B, pruned EASE", "not measured")]
    assert targets.told(others) == "reached in 0 of 1; not measured: 32 B, pruned EASE"


def test_the_page_has_every_target_and_every_shortfall(tmp_path):
    studies = stored(tmp_path)
    table = report.targets_reached(studies, tmp_path)
    assert table.count("<tr") == len(targets.TARGETS) + 1
    short = report.shortfalls(studies, tmp_path)
    assert short.count("missed") >= 2 and "whole EASE at" not in short
    for part in (report.targets_reached, report.shortfalls):
        assert isinstance(part({"None": ("nothing",)}, tmp_path), Absent)
