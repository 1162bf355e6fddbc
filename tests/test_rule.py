"""The rule of the recommended setting beside choices and other starts: the study and its tables."""

import numpy as np
import pytest

from celsa_lib.experiments.rule_study import EVERY_ITEM, GRIDS, NEIGHBOURHOODS, rule
from celsa_lib.report.rule import (
    chosen_lines,
    chosen_table,
    nearly_chosen,
    rule_lines,
    start_against_whole,
    start_table,
)
from celsa_lib.results import Result

USERS = 40


def stored(*others):
    """A rule of 0.4 for every user, and rows (changed, its value, nDCG@100, trials)."""
    resolved = {"learning_rate": 0.04, "reg": 300.0, "n_neighbours": 50}
    rows, users = [], {}
    given = {"recipe": "recommended", "precision": "float32", "nnz": 8}
    for i, (changed, value, level, tried) in enumerate(((None, None, 0.4, []), *others)):
        params = given | ({changed: value} if changed else {})
        trials = [{"choice": {changed: value}, "ndcg@100": one} for one in tried]
        rows.append(
            {"hash": str(i), "label": "Recommended setting", "budget_bytes": 64, "seed": 0}
            | {"params": params, "trials": trials, "resolved": resolved}
        )
        users[str(i)] = level + np.linspace(-0.001, 0.001, USERS)
    return Result({"data": {"name": "x"}, "runs": {}}, rows, users=users)


RESULT = stored(
    ("learning_rate", 0.1, 0.402, [0.3, 0.35]),
    ("reg", 100.0, 0.41, [0.34, 0.31]),
    ("n_neighbours", 25, 0.39, []),
    ("n_neighbours", EVERY_ITEM, 0.401, []),
)


def test_the_study_changes_one_number_at_a_time():
    config = rule("synthetic", "laptop", (0,), budgets=(64,), n_items=800)
    assert config.data_params["n_items"] == 800 and config.n_test == 200
    given = {"recipe", "precision", "nnz"}
    varied = [(set(m.params) - given, set(m.grid)) for m in config.methods]
    assert varied[0] == (set(), set())
    assert [grid for fixed, grid in varied if grid] == [{name} for name in GRIDS]
    starts = [m.params["n_neighbours"] for m in config.methods if "n_neighbours" in m.params]
    assert starts == list(NEIGHBOURHOODS)


def test_differences_are_of_the_rule_minus_the_other():
    lines = rule_lines(RESULT).set_index(["changed", "other"])
    rate = lines.loc["learning_rate", 0.1]
    assert rate["rule"] == 0.04 and rate["validation"] == 0.35
    assert rate["difference"].mean == pytest.approx(-0.002)
    assert rate["nearly"].mean == pytest.approx(0.4 - 0.99 * 0.402)
    assert lines.loc["n_neighbours", 25]["difference"].mean == pytest.approx(0.01)


def test_the_best_of_validation_users_decides_whatever_test_users_say():
    lines = chosen_lines(RESULT).set_index("changed")
    assert lines["best"].to_dict() == {"learning_rate": True, "reg": False}
    (check,) = nearly_chosen(RESULT)
    assert (check.what, check.outcome) == ("64 B, learning rate", "holds")
    (check,) = nearly_chosen(stored(("reg", 1000.0, 0.41, [0.3])))
    assert check.outcome == "contradicted"


def test_the_start_is_held_against_the_whole_inverse():
    (check,) = start_against_whole(RESULT)
    assert check.difference.mean == pytest.approx(-0.001) and check.outcome == "contradicted"


def test_tables_say_what_was_chosen_and_what_a_start_saw():
    table = chosen_table(RESULT)
    assert table["changed"].tolist() == ["learning rate", "ridge"]
    assert table["best of the size"].tolist() == ["yes", ""]
    assert table["share"].tolist() == ["99.5%", "97.6%"]
    assert start_table(RESULT)["other"].tolist() == [25, "all items"]
