"""Targets and what is reached: outcomes by hand, and the tables of a page."""

import numpy as np
import pytest

from celsa_lib import report
from celsa_lib.evaluation import Difference
from celsa_lib.report import targets
from celsa_lib.report.base import Absent
from celsa_lib.results import METHOD_STUDY, PLAIN, Result, save_result

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
    assert table.count("<tr") == len(targets.TARGETS) + len(targets.TARGETS_OF_FILES) + 1
    short = report.shortfalls(studies, tmp_path)
    assert short.count("missed") >= 2 and "whole EASE at" not in short
    for part in (report.targets_reached, report.shortfalls):
        assert isinstance(part({"None": ("nothing",)}, tmp_path), Absent)


def test_the_share_of_their_training_time():
    """6 s for all of ours are 6 % of 100 s, and 30 % of 20 s."""
    theirs = {"label": "compresso-recsys", "seed": 0}
    ours = {"label": "Recommended setting", "seed": 0, "path": {"seconds": 6.0}}
    rows = [one | {"budget_bytes": size} for one in (theirs, ours) for size in (64, 128)]
    rows[0]["seconds_fit"], rows[1]["seconds_fit"] = 100.0, 20.0
    found = targets.in_a_tenth_of_the_time(Result({}, rows))
    assert [(one.what, one.outcome, round(one.difference.mean, 6)) for one in found] == [
        ("64 B: 6 s for all sizes, theirs 100 s", "reached", 0.04),
        ("128 B: 6 s for all sizes, theirs 20 s", "missed", -0.2),
    ]


def test_a_packed_file_of_at_most_32_bytes_is_held_against_whole_ease():
    """The largest that is no larger: 31 of 20, 31 and 40 bytes."""
    rows, users = [], {}
    models = [("Recommended setting", "4 bits", size, 0.01 * size) for size in (20.0, 31.0, 40.0)]
    for label, form, size, level in [*models, ("EASE", PLAIN, 3200.0, 0.3)]:
        row = {"label": label, "form": form, "bytes_per_item": size, "params": {"size": size}}
        rows.append(row | {"hash": f"{label} {size}", "seed": 0})
        users[f"{label} {size}"] = level + np.linspace(-0.001, 0.001, 30)
    (found,) = targets.packed_against_whole(Result({}, rows, users=users))
    assert (found.what, found.outcome) == ("31.0 B, EASE 3,200 B", "reached")
    assert found.difference.mean == pytest.approx(0.01)
    assert targets.packed_against_whole(Result({}, rows[:3], users=users)) == []
