"""A grid goes on where its choice stands at an end, a few times, and after a cut too."""

import logging
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import celsa_lib as cl
from celsa_lib.errors import TrainingError
from celsa_lib.experiments import ExperimentConfig, MethodConfig, run_task
from celsa_lib.experiments.grids import reachable, widened
from celsa_lib.experiments.task import make_task


def grown(best: dict, **grid) -> dict | None:
    """The grid after `best` was chosen from it."""
    method = MethodConfig("EASE", grid=grid)
    wider = widened(method, lambda candidate: float(candidate.params == best))
    return wider and wider.grid


@pytest.mark.parametrize(
    ("values", "chosen", "added"),
    [
        ((10, 100, 1000), 1000, (10_000.0,)),
        ((10, 100, 1000), 10, (1.0,)),
        ((1000, 10, 100), 10, (1.0,)),  # in whatever order
        ((200, 500, 1000), 1000, (2000.0,)),
        ((200, 500, 1000), 200, (80.0,)),
        ((0.1, 0.3), 0.3, (0.9,)),
        ((3, 7), 3, (1.29,)),  # three digits
    ],
)
def test_the_next_value_is_as_far_as_the_last_step(values, chosen, added):
    assert grown({"reg": chosen}, reg=values) == {"reg": (*values, *added)}


def test_inside_of_a_grid_nothing_is_added():
    assert grown({"reg": 100}, reg=(10, 100, 1000)) is None
    assert grown({"reg": 10}, reg=(10,)) is None


def test_what_has_no_ratio_stays():
    """Whole numbers such as epochs, and words."""
    grid = {"reg": (1, 10), "refit": (False, True)}
    assert grown({"reg": 10, "refit": True}, **grid) == {"reg": (1, 10, 100.0), "refit": (0, 1)}
    assert grown({"epochs": 5}, epochs=(1, 5)) is None


def test_of_two_grids_each_goes_on_at_its_end():
    wider = grown({"reg": 1, "learning_rate": 0.3}, reg=(1, 10), learning_rate=(0.1, 0.3))
    assert wider == {"reg": (1, 10, 0.1), "learning_rate": (0.1, 0.3, 0.9)}


@pytest.mark.parametrize("values", [(1, 10, 30), (0.03, 0.1, 0.3, 1.0), (3, 7)])
@pytest.mark.parametrize("end", [min, max])
def test_all_that_widening_adds_is_reachable(values, end):
    method = MethodConfig("EASE", grid={"reg": values})
    every = {candidate.params["reg"] for candidate in reachable(method, 4).candidates()}
    assert len(every) == len(values) + 8
    for _ in range(4):
        far = end(method.grid["reg"])
        method = widened(method, lambda c, far=far: float(c.params["reg"] == far))
        assert set(method.grid["reg"]) <= every


DATA = cl.make_synthetic(n_users=90, n_items=30, n_segments=6, mean_interactions=8, seed=2)
EASE = MethodConfig("EASE", grid={"reg": (1.0, 10.0)})
CONFIG = ExperimentConfig("synthetic", (EASE,), n_test=20, n_val=20)


@pytest.fixture
def task(monkeypatch):
    """A task whose trials find `task.value(reg)`."""
    found = make_task(CONFIG, DATA)
    found.value = lambda reg: reg / 1e6

    def evaluate(model, folds):
        if folds is not found.tune_folds:
            return cl.evaluate(model, folds)
        return SimpleNamespace(mean={"ndcg@100": found.value(model.reg)})

    monkeypatch.setattr(sys.modules[run_task.__module__], "evaluate", evaluate)
    return found


def regs(row: dict) -> list:
    return [trial["choice"]["reg"] for trial in row["trials"]]


def test_a_choice_goes_on_four_times_at_most(task, caplog):
    caplog.set_level(logging.INFO)
    (row,) = run_task(CONFIG, DATA, task, widenings=4).rows
    assert regs(row) == row["grid"]["reg"] == [1, 10, 100, 1000, 10_000, 100_000]
    assert row["params"]["reg"] == 100_000
    said = [r.getMessage().split(",")[0] for r in caplog.records]
    trials = [text for text in said if text.startswith("trial")]
    counts = ["1 of 2", "2 of 2", "3 of 3", "4 of 4", "5 of 5", "6 of 6"]
    assert trials == [f"trial {count}" for count in counts]


def test_a_choice_stops_where_it_is_no_end_any_more(task):
    task.value = lambda reg: 1 - abs(np.log10(reg) - 2) / 10
    (row,) = run_task(CONFIG, DATA, task, widenings=4).rows
    assert regs(row) == [1, 10, 100, 1000] and row["params"]["reg"] == 100
    (row,) = run_task(CONFIG, DATA, task).rows
    assert regs(row) == [1, 10]


@pytest.mark.parametrize("cut", [1, 3, 5, 6, 7])
def test_a_run_that_was_cut_off_goes_on(task, cut):
    """Six trials and a row; nothing that was done is done again."""
    states = []

    def keep(result):
        states.append((list(result.rows), dict(result.trials), dict(result.users)))

    whole = run_task(CONFIG, DATA, task, on_change=keep, widenings=4)
    rows, trials, users = states[cut - 1]
    stored = replace(whole, rows=rows, trials=trials, users=users)
    done = []
    again = run_task(
        CONFIG, DATA, task, stored, on_change=lambda result: done.append(1), widenings=4
    )
    assert again.trials == whole.trials and regs(again.rows[0]) == regs(whole.rows[0])
    assert again.rows[0]["mean"] == whole.rows[0]["mean"]
    assert len(done) - 1 == 7 - cut


def test_a_row_of_a_wider_grid_is_kept_while_another_method_is_tried(task):
    first = run_task(CONFIG, DATA, task, widenings=4)
    other = MethodConfig("EASE", grid={"reg": (2.0, 20.0)})
    both = replace(CONFIG, methods=(EASE, other))
    hashes = []
    run_task(
        both,
        DATA,
        task,
        first,
        on_change=lambda result: hashes.append(result.rows[0]["hash"]),
        widenings=4,
    )
    assert len(hashes) > 6 and set(hashes) == {first.rows[0]["hash"]}


def test_what_leaves_the_finite_numbers_is_an_error_only_where_it_was_asked_for(task):
    def value(reg):
        if reg > task.most:
            raise TrainingError("epoch 1: the loss is not finite")
        return reg / 1e6

    task.value, task.most = value, 50
    (row,) = run_task(CONFIG, DATA, task, widenings=4).rows
    assert regs(row) == [1, 10, 100] and row["params"]["reg"] == 10
    assert row["trials"][-1]["ndcg@100"] == 0
    task.most = 5
    with pytest.raises(TrainingError):
        run_task(CONFIG, DATA, task, widenings=4)
