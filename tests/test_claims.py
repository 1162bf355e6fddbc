"""The paper's numbers, statistics over users and seeds, and verdicts, by hand-made cases."""

import json
import re
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_rows import method_row

from celsa_lib import report
from celsa_lib.errors import DataError, StorageError
from celsa_lib.evaluation import Difference, standard_error
from celsa_lib.models.registry import BASELINES
from celsa_lib.report import rules
from celsa_lib.report.claim import Claim
from celsa_lib.report.claim_list import CLAIMS
from celsa_lib.report.claims_table import ClaimsTable, Entry
from celsa_lib.report.finding_list import FINDINGS
from celsa_lib.report.paper import with_demo
from celsa_lib.report.statistics import better, summary
from celsa_lib.report.verdicts import (
    CONTRADICTED,
    HOLDS,
    MISSING,
    UNDECIDED,
    WORDS,
    Check,
    compared,
    contrast,
    counted,
    everywhere,
    judged,
    missing,
    somewhere,
)
from celsa_lib.results import BUDGETS, GRADUAL, Result, load_result, save_result

ROOT = Path(__file__).parents[1]
REPRODUCED, PARTLY, NOT_REPRODUCED, NOT_TESTED = WORDS
USERS = np.linspace(0, 0.1, 40)  # how users differ, the same in every row
YES, NO = Difference(0.1, 0.05, 0.2), Difference(-0.1, -0.2, -0.05)
MAYBE = Difference(0.0, -0.1, 0.1)


def add(result: Result, label: str, size: int, value, seed: int = 0, epochs=None, **params):
    """A row whose users have `value` on top of USERS."""
    users = USERS + value
    key = f"row{len(result.rows)}"
    row = method_row(hash=key, label=label, budget_bytes=size, params=params, seed=seed)
    row |= {"mean": {"ndcg@100": float(users.mean())}}
    result.rows.append(row | ({"history": epochs} if epochs else {}))
    result.users[key] = users
    return result


def empty(dataset: str = "goodbooks-10k-partial", seeds=(0,)) -> Result:
    """A result with a manifest and no rows."""
    config = {"dataset": dataset, "n_test": 40, "seeds": list(seeds)}
    config |= {"split_seed": 42, "n_folds": 5, "profile": "laptop"}
    data = {"name": dataset, "users": 9, "items": 9, "interactions": 9, "source": "s"}
    return Result({
        "config": config,
        "data": data | {"checksum": "ab" * 32},
        "runs": {"first": {
            "commit": "abc", "clean": True, "threads": 2, "date": "2026-01-02",
            "machine": {"cpu": "chip", "cores": 2, "memory_gib": 8.0, "device": "cpu"},
            "versions": {"torch": "2"},
        }},
        "seconds": 1.0,
    })  # fmt: skip


def main_table(ours=0.5, others=0.4, dense=0.5, dense_size=13_000) -> Result:
    """Table 1 with the same value at each budget."""
    result = add(empty(), "ELSA", dense_size, dense, width=dense_size // 4)
    for size in BUDGETS:
        add(result, "Compressed ELSA", size, ours, nnz=size // 8)
        for label in BASELINES:
            add(result, label, size, others, nnz=size // 8)
    return result


# the paper's numbers


def test_the_papers_table_1_has_66_rows_and_every_row_a_source():
    numbers = report.paper_numbers()
    table = numbers[numbers["source"] == "Table 1"]
    assert table.groupby("dataset").size().to_dict() == dict.fromkeys(
        ["goodbooks-10k", "ml-20m", "netflix-prize"], 22
    )
    assert not numbers[["source", "dataset", "label", "metric", "value"]].isna().any(axis=None)
    assert set(numbers["source"]) == {
        "Table 1", "demo, pruning strategies", "demo, initial width", "demo, uncompressed"
    }  # fmt: skip
    keys = ["source", "dataset", "label", "metric", "budget_bytes"]
    assert not numbers.duplicated([*keys, "initial_width", "schedule", "restart"]).any()
    assert numbers["value"].between(0.2, 0.6).all()


def test_the_demos_numbers_agree_with_table_1():
    """The demo has the paper's setting twice; both runs are near Table 1's numbers."""
    numbers = report.paper_numbers().query("metric == 'ndcg@100' and label == 'Compressed ELSA'")
    usual = numbers.query("initial_width == 4096 and schedule == 'exponential'")
    usual = usual[usual["restart"] == "yes"]
    keys = ["dataset", "budget_bytes"]
    both = usual.merge(numbers.query("source == 'Table 1'"), on=keys)
    assert len(both) == 2 * 15
    assert (both["value_x"] - both["value_y"]).abs().max() < 0.0016


# statistics


def test_errors_over_users_and_over_seeds_are_kept_apart():
    result = empty(seeds=(0, 1, 2))
    for seed, value in enumerate((0.1, 0.2, 0.3)):
        add(result, "ELSA", 64, value, seed, width=16)
    line = summary(result, "width").iloc[0]
    assert line["seeds"] == 3 and line["width"] == 16
    assert line["ndcg@100"] == pytest.approx(0.25)  # 0.05 of the users + 0.2
    assert line["ndcg@100 ±"] == pytest.approx(USERS.std(ddof=1) / np.sqrt(40))
    assert line["seeds ±"] == pytest.approx(0.1 / np.sqrt(3))


def test_one_seed_has_no_error_over_seeds_and_rows_without_users_keep_their_own():
    result = add(empty(), "EASE", 400, 0.2)
    result.users = {}
    line = summary(result).iloc[0]
    assert np.isnan(line["seeds ±"])
    assert line["ndcg@100 ±"] == 0.01
    assert np.isnan(standard_error([1.0]))
    assert standard_error([1.0, 3.0]) == pytest.approx(1.0)


def test_methods_that_differ_in_a_parameter_are_not_averaged():
    result = add(add(empty(), "ELSA", 64, 0.1, width=16), "ELSA", 64, 0.2, width=17)
    assert len(summary(result)) == 2
    with pytest.raises(DataError, match="2 methods"):
        better(result, {"label": "ELSA"}, {"label": "ELSA"})
    with pytest.raises(StorageError, match="none selected"):
        better(result, {"label": "EASE"}, {"width": 16})


def test_better_pairs_users_and_averages_seeds_first():
    result = add(empty(), "A", 64, 0.3)
    for seed, value in enumerate((0.1, 0.2)):
        add(result, "B", 64, value, seed)
    found = better(result, {"label": "A"}, {"label": "B"})
    assert [found.mean, found.low, found.high] == pytest.approx([0.15] * 3)  # of every user
    share = better(result, {"label": "A"}, {"label": "B"}, share=0.5)
    assert share.mean == pytest.approx(0.35 - 0.1)
    assert share.low < share.mean < share.high


# verdicts


@pytest.mark.parametrize(
    ("difference", "outcome"),
    [
        (YES, HOLDS),
        (NO, CONTRADICTED),
        (MAYBE, UNDECIDED),
        (Difference(0.1, 0.0, 0.2), UNDECIDED),
        (Difference(-0.1, -0.2, 0.0), UNDECIDED),
        (Difference(0.0, 0.0, 0.0), UNDECIDED),
    ],
)
def test_an_interval_decides_only_if_it_excludes_zero(difference, outcome):
    assert compared("x", difference).outcome == outcome


def test_a_single_user_leaves_a_check_undecided_and_without_an_interval():
    alone = compared("x", Difference(0.1, float("nan"), float("nan")))
    assert alone == Check("x", UNDECIDED)
    assert judged([alone], "set", "a difference", everywhere).interval is None


H, C, U, M = (Check("x", outcome) for outcome in (HOLDS, CONTRADICTED, UNDECIDED, MISSING))


@pytest.mark.parametrize(
    ("checks", "all_of_them", "one_of_them"),
    [
        ([H, H], REPRODUCED, REPRODUCED),
        ([H, C], PARTLY, REPRODUCED),
        ([H, U], PARTLY, REPRODUCED),
        ([H, M], REPRODUCED, REPRODUCED),
        ([C, U], NOT_REPRODUCED, NOT_REPRODUCED),
        ([U, M], NOT_REPRODUCED, NOT_REPRODUCED),
        ([M, M], NOT_TESTED, NOT_TESTED),
        ([], NOT_TESTED, NOT_TESTED),
    ],
)
def test_how_checks_add_up(checks, all_of_them, one_of_them):
    assert everywhere(checks) == all_of_them
    assert somewhere(checks) == one_of_them


@pytest.mark.parametrize(
    ("check", "why"),
    [
        (compared("x", YES), "the interval lies above 0"),
        (compared("x", NO), "contradicted: the interval lies below 0"),
        (compared("x", MAYBE), "undecided: the interval includes 0"),
        (counted("3 of 4", False), "contradicted: 3 of 4"),
        (missing("EASE"), "not stored: EASE"),
    ],
)
def test_why_of_one_check(check, why):
    assert judged([check], "d", "c", everywhere).why == why


def test_a_verdict_of_many_names_what_does_not_hold_and_its_deciding_interval():
    checks = [compared("a", YES), compared("b", NO), compared("c", MAYBE), missing("d")]
    verdict = judged(checks, "data", "computed", everywhere)
    assert verdict.interval == (-0.2, -0.05)
    assert verdict.why == "holds in 1 of 3 checks. contradicted: b. undecided: c. 1 not tested: d"
    assert judged([missing(name) for name in "abcd"], "", "", everywhere).why == (
        "4 not tested: a; b; c and 1 more"
    )
    assert judged(checks, "data", "computed", somewhere).interval == (0.05, 0.2)
    many = judged([compared(name, NO) for name in "abcde"], "", "", everywhere)
    assert many.why.endswith("contradicted: a; b; c and 2 more")


ends = st.floats(-1, 1)
intervals = st.tuples(ends, ends).map(sorted)


def test_a_contrast_without_its_other_side_is_not_reproduced():
    """Nothing dies with gradual pruning: no contrast where nothing dies with the other either."""
    one, other = counted("gradual", True), counted("constant", True)
    assert contrast([one, other]) == REPRODUCED
    assert contrast([one, counted("constant", False)]) == NOT_REPRODUCED
    assert contrast([counted("gradual", False), other]) == PARTLY
    assert contrast([one, missing("constant")]) == NOT_TESTED
    assert contrast([counted("gradual", False), missing("constant")]) == NOT_REPRODUCED
    assert contrast([]) == NOT_TESTED


@given(st.lists(intervals, min_size=1, max_size=6), st.booleans())
@settings(deadline=None)
def test_nothing_is_reproduced_by_an_interval_that_includes_zero(pairs, one_is_enough):
    checks = [compared("x", Difference((low + high) / 2, low, high)) for low, high in pairs]
    verdict = judged(checks, "", "", somewhere if one_is_enough else everywhere)
    assert (verdict.word == REPRODUCED) == (verdict.interval[0] > 0)


# rules


def test_best_at_a_budget():
    claim = partial(rules.best_at, budget=64, baseline="Pruned EASE")
    assert [c.outcome for c in claim(main_table())] == [HOLDS]
    assert [c.outcome for c in claim(main_table(ours=0.3))] == [CONTRADICTED]
    assert [c.outcome for c in claim(main_table(ours=0.4))] == [UNDECIDED]
    assert [c.outcome for c in claim(empty())] == [MISSING]


@pytest.mark.parametrize(
    ("ours", "outcome"), [(0.55, HOLDS), (0.499, HOLDS), (0.45, CONTRADICTED)]
)  # users' mean is 0.05 more; a loss of 0.001 of 0.55 is less than half a percent
def test_smaller_at_no_loss(ours, outcome):
    (check,) = rules.smaller(main_table(ours=ours), 10, rules.NO_LOSS)
    assert check.outcome == outcome
    assert check.what == "1,024 B instead of 13,000 B, 13× smaller"


def test_smaller_than_any_budget_is_not_tested_unless_less_is_too_much():
    result = main_table(dense_size=4096)
    checks = rules.smaller(result, 100, rules.SMALL_LOSS)
    assert [check.outcome for check in checks] == [HOLDS, MISSING]
    assert checks[0].what.startswith("64 B instead of 4,096 B, 64×")
    assert contrast(checks) == NOT_TESTED
    worse = rules.smaller(main_table(ours=0.3, dense_size=4096), 100, rules.SMALL_LOSS)
    assert contrast(worse) == NOT_REPRODUCED
    assert contrast(rules.smaller(empty(), 100, rules.SMALL_LOSS)) == NOT_TESTED
    add(result, "Recommended setting", 32, 0.6, nnz=4)  # a size that only it has
    (check,) = rules.smaller(result, 100, rules.SMALL_LOSS, "Recommended setting")
    assert check.what == "32 B instead of 4,096 B, 128× smaller" and check.outcome == HOLDS


def test_low_dimensional_loses_more_the_smaller_it_is():
    result = add(empty(), "ELSA", 13_000, 0.5)
    for size, value in zip(BUDGETS, (0.45, 0.4, 0.3, 0.2, 0.1), strict=True):
        add(result, "Low-dim ELSA", size, value, width=size // 4)
    assert everywhere(rules.narrow_loses(result)) == REPRODUCED
    flat = rules.narrow_loses(main_table(others=0.49))
    outcomes = {check.what: check.outcome for check in flat}
    assert outcomes["64 B"] == HOLDS
    assert outcomes["64 B, by over 10 %"] == CONTRADICTED
    assert outcomes["64 B below 1,024 B"] == UNDECIDED


def test_sparse_afterwards():
    assert everywhere(rules.afterwards_is_worse(main_table())) == REPRODUCED
    assert everywhere(rules.afterwards_is_worse(main_table(ours=0.3))) == PARTLY
    assert everywhere(rules.afterwards_is_worse(main_table(ours=0.3, dense=0.3))) == NOT_REPRODUCED


def schedules(values: dict, dead: dict | None = None) -> Result:
    """Every schedule at every budget; `values` and latents that are `dead` by (name, restart)."""
    result = empty()
    for (name, restart), value in values.items():
        for size in BUDGETS:
            epochs = [[8, 64, 0.5], [8, 64 - (dead or {}).get(name, 0), 0.4]]
            params = {"schedule": name, "restart": restart, "width": 64}
            add(result, "Compressed ELSA", size, value, epochs=epochs, **params)
    return result


def test_schedules_and_restarts():
    values = {(name, True): 0.5 for name in GRADUAL} | {(name, False): 0.4 for name in GRADUAL}
    result = schedules(values | {("constant", False): 0.3, ("linear", True): 0.35})
    assert everywhere(rules.schedules_against(result, GRADUAL, "constant")) == REPRODUCED
    outcomes = [
        check.outcome for check in rules.schedules_against(result, GRADUAL[:2], "step-wise")
    ]
    assert outcomes == [UNDECIDED] * 5 + [CONTRADICTED] * 5
    restarted = rules.restarts(result)
    assert sum(check.outcome == HOLDS for check in restarted) == 10
    assert {c.what for c in restarted if c.outcome == CONTRADICTED} == {
        f"linear, {size:,} B" for size in BUDGETS
    }
    assert everywhere(rules.restarts(empty())) == NOT_TESTED


@pytest.mark.parametrize(
    ("dead", "word"),
    [
        ({"constant": 5}, REPRODUCED),
        ({}, NOT_REPRODUCED),  # a fixed k left none either
        ({"constant": 5, "linear": 1}, PARTLY),
    ],
)
def test_dead_latents(dead, word):
    values = {(name, True): 0.5 for name in GRADUAL} | {("constant", False): 0.3}
    checks = rules.latents(schedules(values, dead))
    assert contrast(checks) == word
    assert checks[-1].what == f"constant, 64 B: {dead.get('constant', 0)} of 64 latents unused"
    assert everywhere(rules.latents(empty())) == NOT_TESTED


def widths(values=(0.3, 0.4, 0.45, 0.46), dense: float = 0.455) -> Result:
    result = add(empty(), "ELSA", 4096, dense, width=1024)
    for width, value in zip((16, 32, 64, 128), values, strict=True):
        for size in BUDGETS:
            add(result, "Compressed ELSA", size, value, width=width)
    return result


def test_wider_starts():
    assert everywhere(rules.wider(widths())) == REPRODUCED
    assert everywhere(rules.wider(widths((0.3, 0.4, 0.45, 0.45)))) == PARTLY
    assert everywhere(rules.diminishing(widths())) == REPRODUCED
    assert everywhere(rules.diminishing(widths((0.1, 0.2, 0.3, 0.45)))) == NOT_REPRODUCED
    assert somewhere(rules.above_dense(widths())) == REPRODUCED
    assert somewhere(rules.above_dense(widths(dense=0.5))) == NOT_REPRODUCED
    for rule in (rules.wider, rules.diminishing, rules.above_dense):
        assert everywhere(rule(empty())) == NOT_TESTED


def test_the_best_of_many_settings_needs_a_wider_interval():
    """A difference that is clear alone and not among twenty."""
    noise = np.random.default_rng(3).normal(size=40)
    noise = 0.02 * (noise - noise.mean()) / noise.std(ddof=1) * np.sqrt(40)  # error of mean: 0.02
    result = add(empty(), "ELSA", 4096, 0.4, width=1024)
    for width in (16, 32, 64, 128):
        for size in BUDGETS:
            up = 0.048 + noise if (width, size) == (16, 64) else -0.1
            add(result, "Compressed ELSA", size, 0.4 + up, width=width)
    lucky = {"label": "Compressed ELSA", "width": 16, "budget_bytes": 64}
    assert better(result, lucky, {"label": "ELSA"}).is_clear
    assert somewhere(rules.above_dense(result)) == NOT_REPRODUCED


def test_inference_between_quartiles():
    def row(contender, low, seconds, high):
        return {"section": "inference", "contender": contender, "low": low, "seconds": seconds,
                "high": high}  # fmt: skip

    fast, slow = row("celsa", 1.0, 1.1, 1.2), row("dense ELSA, width 1,024", 2.0, 2.2, 2.4)
    equal = row("dense ELSA, width 32 (equal bytes)", 0.1, 0.1, 0.1)
    (check,) = rules.faster(Result({}, [fast, slow, equal]))
    assert check.outcome == HOLDS and check.what.endswith("2.0× the time")
    assert check.difference == Difference(pytest.approx(1.1), 0.8, 1.4)
    close = row("dense ELSA, width 1,024", 1.1, 1.15, 1.3)
    assert rules.faster(Result({}, [fast, close]))[0].outcome == UNDECIDED
    assert rules.faster(Result({}, [slow])) == []


def test_standard_errors():
    def outcome(n: int) -> str:
        result = add(empty(), "EASE", 400, 0.1)
        result.users["row0"] = np.array([0.0, 0.02] * n)
        return rules.small_errors(result)[0].outcome

    assert outcome(10) == CONTRADICTED  # 0.0103 / √20 = 0.0023
    assert outcome(50) == HOLDS  # 0.0101 / √100 = 0.0010
    assert rules.small_errors(empty()) == []
    result = add(empty(), "EASE", 400, 0.1)
    result.manifest["config"]["n_folds"] = 4
    error = standard_error(result.users["row0"])
    assert rules.small_errors(result)[0].what == (
        f"at most {error:.4f}; were a user's 4 folds independent, {error / 2:.4f}"
    )


def test_what_a_study_measured_itself():
    rows = [{"section": "reach", "what": "top 20", "mean": 0.1, "low": 0.05, "high": 0.2}]
    assert rules.measured(Result({}, rows), "reach") == [compared("top 20", YES)]
    assert rules.measured(Result({}, rows), "coherence") == []


# the claims table


def test_nothing_stored_means_nothing_tested(tmp_path):
    claims = report.claims(tmp_path)
    assert {verdict.word for _, verdict in claims} == {NOT_TESTED}
    assert "no stored result" in claims.entries[0].verdict.why
    assert "No comparison" in claims.figure()
    assert "45 not tested here" in claims.table()
    assert {"goodbooks-10k", "goodbooks-schedules"} <= set(claims.studies)


def test_the_list_of_claims():
    claims = CLAIMS
    assert len({claim.id for claim in claims}) == len(claims)
    assert sum(claim.group == "best at a size" for claim in claims) == 3 * 5 * 3
    for claim in claims:
        assert claim.statement.endswith(".") and claim.section
        assert (ROOT / "notebooks" / f"{claim.notebook}.ipynb").exists()


@pytest.fixture
def stored(tmp_path) -> Path:
    save_result(main_table(), tmp_path / "goodbooks-10k-partial.json")
    return tmp_path


def test_a_claims_table_of_stored_results(stored):
    verdicts = {claim.id: verdict for claim, verdict in report.claims(stored)}
    best = [v for name, v in verdicts.items() if name.startswith("best/goodbooks-10k/")]
    assert {verdict.word for verdict in best} == {REPRODUCED} and len(best) == 15
    assert verdicts["post-hoc"].word == REPRODUCED
    assert verdicts["low-dimensional"].word == PARTLY  # as bad at 1,024 bytes as at 64
    assert verdicts["best/ml-20m/64/low-dim-elsa"].word == NOT_TESTED
    assert "a fifth of the paper's ratings" in best[0].data
    assert "1 training seed" in best[0].data


def test_the_whole_data_goes_before_a_part_of_it(stored):
    save_result(main_table(ours=0.3), stored / "goodbooks-10k.json")
    verdicts = {claim.id: verdict for claim, verdict in report.claims(stored)}
    assert verdicts["best/goodbooks-10k/64/pruned-ease"].word == NOT_REPRODUCED


def test_a_claims_table_as_a_file(stored):
    claims = report.claims(stored)
    content = json.loads(claims.write(stored / "claims.json").read_text())
    assert content["counts"]["best at a size"][REPRODUCED] == 15
    assert len(content["claims"]) == len(claims)
    first = next(c for c in content["claims"] if c["id"] == "post-hoc")
    assert set(first) == set(
        "id statement section notebook group verdict data computed pair interval why checks "
        "recommended".split()
    )
    assert first["interval"] == pytest.approx([0.1, 0.1], abs=1e-4)
    assert len(first["checks"]) == 10 and first["checks"][0]["outcome"] == HOLDS
    with pytest.raises(StorageError):
        load_result(stored / "claims.json")


def test_a_claims_table_as_tables_and_a_figure(stored):
    claims = report.claims(stored)
    counts = claims.counts().set_index("verdict")
    assert counts["best at a size"].tolist() == [15, 0, 0, 30]
    best = claims.best_by_size().set_index("data")
    assert (best.loc["Goodbooks-10k", "64 B"] == "better").all()
    assert set(best.loc["Netflix Prize", "64 B"]) == {"–"}
    table = claims.table()
    assert table.count("<details") == 3 and "Other claims: " in table
    assert re.search(r"holds in \d+ of \d+ checks\. [A-Z][a-z ]+: .*\.<br>", table)
    some = claims.of("schedules").table()
    assert some.startswith("<details open><summary>Claims: ")
    assert "<strong>Reproduced</strong> (3): Vectors ten times smaller" in claims.in_short()
    figure = claims.figure()
    assert [ax.get_title() for ax in figure.axes] == ["Goodbooks-10k"]
    assert len(figure.axes[0].containers) == 15


def test_the_second_column_asks_the_same_of_the_recommended_setting(stored, tmp_path):
    """Ahead of all at 64 bytes; at other sizes not there."""
    result = main_table(ours=0.3)
    add(result, "Recommended setting", 64, 0.45, nnz=8)
    save_result(result, tmp_path / "goodbooks-10k-partial.json")
    found = {claim.id: verdict for claim, verdict in report.claims(tmp_path)}
    at_64 = found["best/goodbooks-10k/64/pruned-ease"]
    assert (at_64.word, at_64.recommended.word) == (NOT_REPRODUCED, REPRODUCED)
    assert found["best/goodbooks-10k/128/pruned-ease"].recommended.word == NOT_TESTED
    assert found["hundred-times-smaller"].recommended.word == NOT_TESTED  # 128 B of 13,000
    assert found["post-hoc"].recommended is None
    counts = report.claims(tmp_path).counts().set_index("verdict")
    assert counts["best at a size, recommended setting"].tolist() == [3, 0, 0, 12]
    row = next(line for line in report.claims(tmp_path).table().split("<tr>") if "At 64" in line)
    assert row.count("<td") == 4 and "With the recommended setting: " in row


def test_a_study_without_the_recommended_setting_is_judged_by_the_table_that_has_it(tmp_path):
    result = main_table(dense_size=4096)
    add(result, "Recommended setting", 64, 0.6, nnz=8)
    save_result(result, tmp_path / "goodbooks-10k-partial.json")
    save_result(widths(dense=0.5), tmp_path / "goodbooks-widths.json")
    found = {claim.id: verdict for claim, verdict in report.claims(tmp_path)}["above-dense"]
    assert (found.word, found.recommended.word) == (NOT_REPRODUCED, REPRODUCED)
    assert [check.what for check in found.recommended.checks] == ["64 B"]


def test_text_in_a_claims_table_is_escaped():
    claim = Claim("x", "<i>.", "§ <1>", "claims", "<b>", ("none",), lambda result: [], "")
    judged = ClaimsTable((Entry(claim, claim.judge({})),))
    table = judged.table() + judged.in_short()
    assert "<i>" not in table and "<b>" not in table and "§ <1>" not in table


def test_a_stored_claims_table_is_what_the_results_give():
    path = ROOT / "results" / "claims.json"
    if not path.exists():
        pytest.skip("there is no results/claims.json; `celsa claims` writes it")
    content = json.loads(path.read_text())
    for part, claims in (("claims", CLAIMS), ("findings", FINDINGS)):
        kept = {c["id"]: (c.get("verdict"), outcomes(c["checks"])) for c in content[part]}
        now = {
            claim.id: (
                verdict.word if part == "claims" else None,
                outcomes(asdict(check) for check in verdict.checks),
            )
            for claim, verdict in report.claims(path.parent, claims)
        }
        assert kept == now, "results have changed: run `celsa claims`"


def outcomes(checks) -> list[tuple[str, str]]:
    return [(check["what"], check["outcome"]) for check in checks]


# pages


def test_table_1_beside_the_paper(stored):
    page = report.stored("goodbooks-10k-partial", stored).beside_paper()
    assert "nDCG@100, paper" in page and "± over seeds" not in page  # one seed
    assert "ours − paper" not in page  # it learned from a part of the data
    assert page.count("<input") == 3 and "+0.0" in page  # the switch of the grid has it
    absent = report.stored("ml-20m", stored).beside_paper()
    assert "there is no" in absent and "0.379" in absent
    assert "<table" not in report.stored("ml-100k", stored).beside_paper()


def test_ablations_beside_the_demo(tmp_path):
    values = {("exponential", True): 0.5, ("constant", False): 0.3}
    rows = summary(schedules(values), "schedule", "restart")
    rows = with_demo(rows, "goodbooks-10k").set_index(["schedule", "restart", "budget_bytes"])
    theirs = rows["demo ndcg@100"]
    assert theirs["exponential", True, 64] == 0.4687 and theirs["constant", False, 64] == 0.4207
    save_result(widths(), tmp_path / "widths.json")
    page = report.stored("widths", tmp_path).beside_demo("width")
    assert ">width</th>" in page and "ours − paper" not in page


def test_which_results_are_stored(stored):
    line = report.sources(["goodbooks-10k-partial", "<b>"], stored)
    assert "Stored results: goodbooks-10k-partial (2026-01-02, commit abc)." in line
    assert "Not run here: &lt;b&gt;." in line
    assert "Stored results: none." in report.sources(["ml-20m"], stored)


def test_what_a_checker_reads():
    """codecheck.yml lists every stored result, and no other file."""
    content = yaml.safe_load((ROOT / "codecheck.yml").read_text())
    assert {"version", "paper", "manifest", "codechecker", "summary"} <= set(content)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert content["paper"]["title"] == citation["preferred-citation"]["title"]
    assert content["paper"]["reference"].endswith(citation["preferred-citation"]["doi"])
    assert citation["version"] == version("celsa")
    assert all(item["comment"] for item in content["manifest"])
    listed = sorted(item["file"] for item in content["manifest"])
    assert listed == sorted(f"results/{path.name}" for path in ROOT.glob("results/*.json"))


def test_the_committed_results_have_a_verdict_each():
    """No claim is stopped by what is stored, and some can be judged."""
    claims = report.claims(ROOT / "results")
    assert len(claims) == len(CLAIMS)
    assert any(verdict.checks for _, verdict in claims)
