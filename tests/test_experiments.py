"""Configurations, validation-only tuning, resumable runs, stored results."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import celsa_lib as cl
from celsa_lib.errors import ConfigError, DataError, StorageError
from celsa_lib.experiments import (
    PROFILES,
    ExperimentConfig,
    MethodConfig,
    at_budgets,
    experiment,
    find_title,
    load_result,
    paired_table,
    quickstart,
    recommend_by_title,
    save_result,
)
from celsa_lib.experiments import run as run_experiment
from celsa_lib.experiments.goodbooks import align_columns, goodbooks_config
from celsa_lib.experiments.run import make_task, run_task


@pytest.fixture(scope="module")
def planted() -> cl.Dataset:
    return cl.make_synthetic(n_users=300, n_items=120, n_segments=10, seed=1)


@pytest.fixture
def config() -> ExperimentConfig:
    return ExperimentConfig(
        dataset="synthetic",
        methods=(
            MethodConfig("EASE", grid={"reg": (1.0, 100.0)}),
            MethodConfig("PrunedEASE", {"nnz": 8}, {"reg": (1.0, 100.0)}),
            MethodConfig("ELSA", {"width": 16, "epochs": 1, "batch_size": 64}),
        ),
        n_test=40,
        n_val=30,
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_a_configuration_survives_json(profile):
    for dataset in PROFILES[profile]:
        config = experiment(dataset, profile)
        again = ExperimentConfig.from_json(config.to_json())
        assert again.to_json() == config.to_json()


@pytest.mark.parametrize("place", ["config", "method"])
def test_an_unknown_key_is_refused(config, place):
    values = json.loads(config.to_json())
    (values if place == "config" else values["methods"][0])["n_tset"] = 3
    with pytest.raises(ConfigError, match="n_tset"):
        ExperimentConfig.from_json(json.dumps(values))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"methods": 3}'])
def test_other_text_is_refused(text):
    with pytest.raises(ConfigError):
        ExperimentConfig.from_json(text)


@pytest.mark.parametrize(
    "changes", [{"n_test": 0}, {"n_val": 0}, {"n_val": -1}, {"methods": ()}, {"seeds": ()}]
)
def test_a_configuration_checks_itself(config, changes):
    with pytest.raises(ConfigError):
        replace(config, **changes)


def test_a_method_checks_itself():
    with pytest.raises(ConfigError, match="unknown method"):
        MethodConfig("EASY")
    with pytest.raises(ConfigError, match="both"):
        MethodConfig("EASE", {"reg": 1.0}, {"reg": (1.0,)})
    with pytest.raises(ConfigError, match="grid"):
        MethodConfig("EASE", grid={"reg": ()})


def test_a_budget_is_the_size_of_the_fitted_model(config, planted):
    methods = (*at_budgets("ELSA", (64,), epochs=1), *at_budgets("PrunedEASE", (64,), reg=10.0))
    methods += at_budgets("CompressedELSA", (64,), width=32, epochs=1)
    result = run_experiment(replace(config, methods=methods), planted)
    assert [row["budget_bytes"] for row in result.rows] == [64, 64, 64]


def test_tuning_sees_validation_users_only(config, planted, monkeypatch):
    """Test folds appear once a method, never among its trials."""
    task = make_task(config, planted.X)
    seen = []

    def spy(model, folds):
        seen.append("test" if folds is task.folds else "validation")
        assert folds is task.folds or folds is task.tune_folds
        return cl.evaluate(model, folds)

    monkeypatch.setattr(sys.modules[run_task.__module__], "evaluate", spy)
    run_task(config, planted, task)
    assert seen == ["validation", "validation", "test"] * 2 + ["test"]
    assert task.tune_fit.shape[0] == 300 - 40 - 30
    assert task.fit.shape[0] == 300 - 40


def test_the_choice_is_the_best_trial(config, planted):
    row = run_experiment(config, planted).rows[0]
    best = max(row["trials"], key=lambda trial: trial["ndcg@100"])
    assert row["params"]["reg"] == best["choice"]["reg"]
    assert row["grid"] == {"reg": [1.0, 100.0]}


def test_a_rerun_skips_finished_rows(config, planted):
    task = make_task(config, planted.X)
    first = run_task(config, planted, task)
    again = run_task(config, planted, task, stored=first.rows)
    assert again.rows == first.rows
    assert not again.evaluations  # nothing was fitted
    changed = replace(config, fold_seed=1)
    assert len(run_task(changed, planted, task, stored=first.rows).evaluations) == 3


def test_every_row_is_handed_over_at_once(config, planted):
    counts = []
    task = make_task(config, planted.X)
    run_task(config, planted, task, on_row=lambda result: counts.append(len(result.rows)))
    assert counts == [1, 2, 3]


def test_the_same_seed_gives_the_same_numbers(config, planted):
    means = [[row["mean"] for row in run_experiment(config, planted).rows] for _ in range(2)]
    assert means[0] == means[1]


def test_results_come_back_from_their_file(config, planted, tmp_path):
    result = run_experiment(config, planted)
    path = save_result(result, tmp_path / "deep" / "result.json")
    again = load_result(path)
    assert again.rows == json.loads(json.dumps(result.rows))
    assert again.manifest["data"]["checksum"] == planted.checksum
    assert set(again.manifest) >= {"config", "versions", "code", "machine", "date", "seconds"}
    assert [file.name for file in path.parent.iterdir()] == ["result.json"]


@pytest.mark.parametrize("text", ["", "{}", '{"format": "celsa-result", "version": 99}'])
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(StorageError, match=r"result\.json"):
        load_result(path)


def test_paired_differences_are_at_equal_bytes(config, planted):
    methods = (
        *at_budgets("CompressedELSA", (128, 64), width=64, epochs=1),
        *at_budgets("PrunedEASE", (128, 64), reg=10.0),
    )
    table = paired_table(
        run_experiment(replace(config, methods=methods), planted), "Compressed ELSA"
    )
    assert list(table["bytes per item"]) == [128, 64]
    assert set(table["compared with"]) == {"Pruned EASE"}


def test_quickstart_keeps_the_dense_model_and_the_small_sizes():
    methods = quickstart("ml-100k").methods
    assert ("ELSA", 512) in {(m.name, m.params.get("width")) for m in methods}
    assert max(m.params.get("nnz", 0) for m in methods) == 512 // 8


def test_columns_are_put_in_the_wanted_order():
    X = csr_matrix(np.array([[1, 0], [1, 1]], dtype=np.float32))
    aligned = align_columns(X, np.array([30, 10]), np.array([10, 20, 30]))
    assert aligned.toarray().tolist() == [[0, 0, 1], [1, 0, 1]]
    with pytest.raises(DataError, match="40"):
        align_columns(X, np.array([30, 40]), np.array([10, 20, 30]))


def test_goodbooks_keeps_the_methods_asked_for():
    assert {m.name for m in goodbooks_config(methods=("EASE",)).methods} == {"EASE"}


def test_titles(planted):
    title = str(planted.items["title"].iloc[3])
    assert find_title(planted, title.upper()) == 3
    with pytest.raises(DataError, match="no item"):
        find_title(planted, "not a title")
    with pytest.raises(DataError, match="write more"):
        find_title(planted, "e")
    assert find_title(planted, f"{title} (1999)") == 3
    found = recommend_by_title(cl.EASE(10.0).fit(planted.X), planted, [title], n=5)
    assert len(found) == 5
    assert title not in set(found["title"])
