"""Configurations, validation-only tuning, resumable runs, stored results."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from stored_rows import method_row

import celsa_lib as cl
from celsa_lib import report
from celsa_lib.data import GoodbooksTestUsers
from celsa_lib.errors import ConfigError, DataError, DatasetNotFoundError, StorageError
from celsa_lib.experiments import (
    PROFILES,
    ExperimentConfig,
    MethodConfig,
    at_budgets,
    describe,
    experiment,
    find_title,
    first_look,
    live_or_stored,
    manifest,
    prepare,
    quickstart,
    recommend_by_title,
    run_deviations,
    run_where_data_is,
)
from celsa_lib.experiments import run as run_experiment
from celsa_lib.experiments import task as task_module
from celsa_lib.experiments.deviations import FilteredAfterwards, ZeroedSeen
from celsa_lib.experiments.run import label, run_task
from celsa_lib.experiments.studies import (
    STUDIES,
    run_study,
    schedules,
    stored_at,
    study,
)
from celsa_lib.experiments.summary import TRAINING
from celsa_lib.experiments.task import make_task
from celsa_lib.models import make_schedule, recipes
from celsa_lib.report.deviations import deviations_table
from celsa_lib.report.statistics import paired_table
from celsa_lib.results import Result, load_result, save_result, users_path


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


def test_the_registry_and_the_laptop_profile_agree_on_test_users():
    for dataset, settings in PROFILES["laptop"].items():
        assert cl.dataset_info(dataset).test_users == settings.n_test, dataset


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


def test_a_budget_as_large_as_the_dense_model_is_run_once():
    config = experiment("ml-100k", budgets=[2048])
    widths = [method.params["width"] for method in config.methods if method.name == "ELSA"]
    assert widths == [512]
    assert experiment("ml-100k", budgets=[1024]).methods[2].params["width"] == 512


def test_an_elsa_of_a_budget_is_the_low_dimensional_one():
    wide, narrow = (MethodConfig("ELSA", {"width": width}) for width in (512, 64))
    compressed = MethodConfig("CompressedELSA", {"width": 512, "nnz": 32})
    config = ExperimentConfig("synthetic", (wide, narrow, compressed), n_test=10)
    assert [label(method, config.methods) for method in config.methods] == [
        "ELSA", "Low-dim ELSA", "Compressed ELSA"
    ]  # fmt: skip
    assert label(narrow, [narrow]) == "ELSA"


@pytest.mark.parametrize("name", [name for name in STUDIES if stored_at(name).exists()])
def test_stored_rows_keep_their_labels(name):
    stored = load_result(stored_at(name))
    config = ExperimentConfig.from_json(json.dumps(stored.manifest["config"]))
    for row in stored.rows:
        assert row["label"] == label(MethodConfig(row["method"], row["params"]), config.methods)


def test_a_method_may_have_fewer_seeds_than_the_others(planted):
    """What it is trained with says nothing of a row, so that rows keep their hash."""
    often = MethodConfig("ELSA", {"width": 8, "epochs": 1, "batch_size": 64})
    once = replace(often, params=often.params | {"width": 4}, n_seeds=1)
    config = ExperimentConfig("synthetic", (often, once), n_test=40, seeds=(3, 5))
    rows = run_experiment(config, planted).rows
    assert [(row["params"]["width"], row["seed"]) for row in rows] == [(8, 3), (8, 5), (4, 3)]
    again = ExperimentConfig.from_json(config.to_json())
    assert again == config and "n_seeds" not in replace(config, methods=(often,)).to_json()
    assert config.row_hash(once, 3, "") == config.row_hash(replace(once, n_seeds=None), 3, "")
    with pytest.raises(ConfigError, match="n_seeds of ELSA must be 1 or more"):
        replace(once, n_seeds=0)


def test_synthetic_studies_train_nothing_more_often_than_the_recommended_setting():
    for name in (name for name in STUDIES if re.fullmatch(r"synthetic-\d+", name)):
        config = study(name).config()
        assert config.data_params["n_items"] == int(name.removeprefix("synthetic-"))
        seeds = {(m.name, m.params.get("recipe")): m.n_seeds for m in config.methods if m.n_seeds}
        ours = seeds.pop(("CompressedELSA", "recommended"))
        recipes = None, "recommended"
        dense = {(m, r) for m in ("ELSA", "SparseAutoencoderELSA") for r in recipes}
        others = {("CompressedELSA", None), *dense}
        assert seeds.keys() == others and max(seeds.values()) <= ours == len(config.seeds)


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


def test_a_budget_that_rows_cannot_fill_is_recorded(config, planted):
    asked = MethodConfig("PrunedEASE", {"nnz": 500}), MethodConfig("PrunedEASE", {"nnz": 8})
    full, small = run_experiment(replace(config, methods=asked), planted).rows
    assert full["budget_bytes"] == 4000 and full["held_bytes"] <= 8 * 119
    assert "held_bytes" not in small


def test_tuning_sees_validation_users_only(config, planted, monkeypatch):
    """Every trial is on validation folds, and all trials come before the first test fold."""
    task = make_task(config, planted)
    seen = []

    def spy(model, folds):
        seen.append("test" if folds is task.folds else "validation")
        assert folds is task.folds or folds is task.tune_folds
        return cl.evaluate(model, folds)

    monkeypatch.setattr(sys.modules[run_task.__module__], "evaluate", spy)
    run_task(config, planted, task)
    assert seen == ["validation"] * 4 + ["test"] * 3
    assert task.tune_fit.shape[0] == 300 - 40 - 30
    assert task.fit.shape[0] == 300 - 40


def test_users_are_counted_as_they_took_part(config, planted):
    """Not by the split: likely test users may be left out besides."""
    task = make_task(config, planted)
    fewer = replace(task, tune_fit=task.tune_fit[:200], fit=task.fit[:240])
    manifest = run_task(config, planted, fewer, only=("EASE",)).manifest
    facts = describe(manifest).set_index("what")["value"]
    assert facts["training users while choosing"] == "200"
    assert facts["training users of the reported models"] == "240"
    assert facts["test users"] == "40" and facts["validation users"] == "30"
    del manifest["users"]  # as in results from before
    older = describe(manifest).set_index("what")["value"]
    assert facts.drop(older.index).index.tolist() == list(TRAINING.values())


def test_a_run_reports_on_test_users_that_are_a_set_of_their_own(config, planted, monkeypatch):
    """As studies do, and they do not learn."""
    own = GoodbooksTestUsers(
        planted.X[:50], planted.item_ids, planted.user_ids[:50], planted.X.T.tocsr()
    )
    monkeypatch.setattr(task_module, "load_goodbooks_test_users", lambda: own)
    elsewhere = replace(config, test_users="elsewhere")
    assert run_experiment(elsewhere, planted).manifest["users"]["reported"] == 300 - 50
    assert prepare(elsewhere, planted)[1].folds[0][0].shape[0] == config.n_test


def test_the_choice_is_the_best_trial(config, planted):
    row = run_experiment(config, planted).rows[0]
    best = max(row["trials"], key=lambda trial: trial["ndcg@100"])
    assert row["params"]["reg"] == best["choice"]["reg"]
    assert row["grid"] == {"reg": [1.0, 100.0]}


def test_a_rerun_skips_finished_rows_and_trials(config, planted, monkeypatch):
    task = make_task(config, planted)
    first = run_task(config, planted, task)
    fitted = []
    monkeypatch.setattr(cl.EASE, "_fit", lambda model, X: fitted.append(model))
    again = run_task(config, planted, task, stored=first)
    assert again.rows == first.rows and again.trials == first.trials and not fitted
    assert set(again.users) == {row["hash"] for row in first.rows}
    monkeypatch.undo()
    changed = run_task(replace(config, fold_seed=1), planted, task, stored=first)
    assert not {row["hash"] for row in changed.rows} & {row["hash"] for row in first.rows}


def test_a_row_without_its_users_is_computed_again(config, planted, tmp_path):
    task = make_task(config, planted)
    first = run_task(config, planted, task)
    path = save_result(first, tmp_path / "result.json")
    users_path(path).unlink()
    fitted = []
    again = run_task(config, planted, task, load_result(path), on_model=lambda *a: fitted.append(a))
    assert len(fitted) == len(first.rows) and again.trials == first.trials
    assert np.array_equal(again.by_user(again.rows), first.by_user(first.rows))


def test_a_grid_that_grows_keeps_what_is_still_chosen(config, planted):
    """A new value is tried; the row it does not beat is neither computed again nor dropped."""
    task = make_task(config, planted)
    first = run_task(config, planted, task)
    worse = MethodConfig("EASE", grid={"reg": (1.0, 100.0, 1e9)})
    grown = replace(config, methods=(worse, *config.methods[1:]))
    waiting = run_task(grown, planted, task, first, only=("ELSA",))
    begun = [first.rows[0] | {"grid": {"reg": [1.0, 100.0, 1e9]}}, *first.rows[1:]]
    undigested = {"digest": ""}  # the grid is part of it
    assert [row | undigested for row in waiting.rows] == [row | undigested for row in begun]
    fitted = []
    again = run_task(grown, planted, task, first, on_model=lambda row, _: fitted.append(row))
    assert len(again.trials) == len(first.trials) + 1 and not fitted
    assert [trial["choice"]["reg"] for trial in again.rows[0]["trials"]] == [1.0, 100.0, 1e9]
    assert again.rows[0]["seconds"] == first.rows[0]["seconds"]


def test_constant_gets_as_many_epochs_as_exponential():
    config = study("ml-100k-equal-epochs").config()
    names = ("schedule", "width", "nnz", "epochs")
    lengths = {
        (m.params["nnz"], m.params["schedule"]): sum(
            stage.epochs for stage in make_schedule(*(m.params[name] for name in names))
        )
        for m in config.methods
    }
    assert len(lengths) == 10
    assert all(lengths[nnz, "constant"] == lengths[nnz, "exponential"] for nnz, _ in lengths)
    assert lengths[8, "constant"] > lengths[128, "constant"] > 2


def test_only_the_methods_asked_for_are_computed(config, planted):
    task = make_task(config, planted)
    first = run_task(config, planted, task, only=("ELSA",))
    assert [row["method"] for row in first.rows] == ["ELSA"] and not first.trials
    both = run_task(config, planted, task, first, only=("PrunedEASE",))
    assert [row["method"] for row in both.rows] == ["PrunedEASE", "ELSA"]


def test_every_trial_and_row_is_handed_over_at_once(config, planted):
    counts = []
    task = make_task(config, planted)
    note = lambda result: counts.append((len(result.trials), len(result.rows)))  # noqa: E731
    run_task(config, planted, task, on_change=note)
    assert counts == [(1, 0), (2, 0), (3, 0), (4, 0), (4, 1), (4, 2), (4, 3), (4, 3)]


def test_a_choice_is_made_once_with_the_first_seed(config, planted):
    methods = (MethodConfig("ELSA", {"width": 8, "epochs": 1}, {"learning_rate": (0.01, 0.1)}),)
    result = run_experiment(replace(config, methods=methods, seeds=(3, 4)), planted)
    assert [row["seed"] for row in result.rows] == [3, 4] and len(result.trials) == 2
    assert result.rows[0]["params"] == result.rows[1]["params"]
    assert result.rows[0]["mean"] != result.rows[1]["mean"]


def test_budgets_of_one_path_are_trained_together(config, planted, monkeypatch):
    """Two budgets, two seeds, a grid of two: six calls, two of them to choose with."""
    calls, fit_budgets = [], cl.CompressedELSA.fit_budgets

    def spy(model, X, budgets, item_ids):
        calls.append(sorted(budgets))
        return fit_budgets(model, X, budgets, item_ids)

    monkeypatch.setattr(cl.CompressedELSA, "fit_budgets", spy)
    grid = {"learning_rate": (1e-9, 0.1)}
    methods = at_budgets("CompressedELSA", (64, 32), grid, width=16, epochs=1)
    result = run_experiment(replace(config, methods=methods, seeds=(0, 1)), planted)
    assert calls == [[4, 8]] * 4 and [row["seed"] for row in result.rows] == [0, 1, 0, 1]
    assert result.rows[0]["path"]["budgets"] == [4, 8]
    assert [nnz for nnz, active, loss in result.rows[0]["history"]] == [16, 8]


def test_every_regularisation_is_inverted_once(config, planted, monkeypatch):
    """Five regs to choose from by EASE and two sizes of pruned EASE; then what they chose."""
    inverted, fit = [], cl.EASE._fit
    note = lambda model, X: (inverted.append((X.shape[0], model.reg)), fit(model, X))  # noqa: E731
    monkeypatch.setattr(cl.EASE, "_fit", note)
    regs = {"reg": (1.0, 3.0, 10.0, 30.0, 100.0)}
    methods = (MethodConfig("EASE", grid=regs), *at_budgets("PrunedEASE", (128, 32), regs))
    result = run_experiment(replace(config, methods=methods), planted)
    assert len(result.trials) == 15 and len(result.rows) == 3
    assert len(inverted) == len(set(inverted)) <= 5 + 3


def test_the_same_seed_gives_the_same_numbers(config, planted):
    means = [[row["mean"] for row in run_experiment(config, planted).rows] for _ in range(2)]
    assert means[0] == means[1]


def test_results_come_back_from_their_file(config, planted, tmp_path):
    result = run_experiment(config, planted)
    path = save_result(result, tmp_path / "deep" / "result.json")
    again = load_result(path)
    assert again.rows == json.loads(json.dumps(result.rows)) and again.trials == result.trials
    for key, values in result.users.items():
        assert again.users[key].dtype == np.float32
        assert np.array_equal(again.users[key], values.astype(np.float32))
        (row,) = result.select(hash=key)
        assert values.mean() == pytest.approx(row["mean"]["ndcg@100"], abs=1e-5)
    assert again.manifest["data"]["checksum"] == planted.checksum
    assert set(again.manifest) >= {"config", "data", "runs", "seconds"}
    files = sorted(file.name for file in path.parent.iterdir())
    assert files == ["result.json", "result.users.npz"]


def test_every_row_names_its_run_and_runs_without_rows_go(tmp_path):
    """A row that names none is of the latest; that one stays, as more rows may come."""
    runs = {name: {"commit": name} for name in ("old", "gone", "new")}
    rows = [method_row(run="old", hash="a"), method_row(hash="b"), method_row(hash="c")]
    again = load_result(save_result(Result({"runs": runs}, rows), tmp_path / "r.json"))
    assert [row["run"] for row in again.rows] == ["old", "new", "new"]
    assert again.manifest["runs"] == {
        "old": {"commit": "old", "rows": 1}, "new": {"commit": "new", "rows": 2},
    }  # fmt: skip


def test_a_changed_row_and_changed_users_are_noticed(tmp_path):
    result = Result({}, [method_row(hash=h) for h in "ab"])
    result.users = {h: np.array([0.25, 0.75]) for h in "ab"}
    path = save_result(result, tmp_path / "r.json")
    assert load_result(path).changed_rows() == []
    first, second = path.read_text().rsplit("0.5}", 1)  # of the last row
    path.write_text(f"{first}0.6}}{second}")
    assert [row["hash"] for row in load_result(path).changed_rows()] == ["b"]
    again = load_result(path)
    again.users["a"] = np.array([0.25, 0.7], dtype=np.float32)
    assert [row["hash"] for row in again.changed_rows()] == ["a", "b"]


def test_a_result_without_users_leaves_none_of_an_older_one(tmp_path):
    result = Result({}, [{"hash": "a"}], users={"a": np.array([0.5])})
    path = save_result(result, tmp_path / "r.json")
    save_result(Result({}, [{"hash": "a"}]), path)
    assert [file.name for file in tmp_path.iterdir()] == ["r.json"]


def test_a_parameter_is_selected_by_its_own_name():
    """The history of training once had the name of the parameter `epochs`, and hid it."""
    rows = [{"hash": str(e), "params": {"epochs": e}, "history": [[8, 8, 0.1]]} for e in (1, 2)]
    assert [row["hash"] for row in Result({}, rows).select(epochs=2)] == ["2"]


def test_rows_are_selected_and_averaged_over_seeds():
    rows = [{"hash": h, "seed": s, "params": {"nnz": n}} for h, s, n in ("a08", "b18", "c04")]
    result = Result({}, rows, users={"a": np.array([0.0, 1.0]), "b": np.array([1.0, 1.0])})
    assert [row["hash"] for row in result.select(nnz="8")] == ["a", "b"]
    assert result.by_user(result.select(nnz="8")).tolist() == [0.5, 1.0]
    for missing in ([], result.select(hash="c")):
        with pytest.raises(StorageError, match="run the study again"):
            result.by_user(missing)


def test_damaged_users_are_refused(config, planted, tmp_path):
    path = save_result(run_experiment(config, planted), tmp_path / "result.json")
    users_path(path).write_bytes(users_path(path).read_bytes()[:100])
    with pytest.raises(StorageError, match="damaged.*restore it from version control"):
        load_result(path)


@pytest.mark.parametrize(
    ("values", "said"),
    [(np.ones(3, np.complex64), "1 axes of complex64"), (np.ones((3, 1), np.float32), "2 axes of")],
)
def test_users_of_another_type_are_refused(tmp_path, values, said):
    manifest = {"kind": "benchmark", "what": "made up", "runs": {}}
    path = save_result(Result(manifest, [], users={"h": np.ones(3)}), tmp_path / "result.json")
    np.savez_compressed(users_path(path), h=values)
    with pytest.raises(StorageError, match=f"{said}.* for row h, not a float32 per user"):
        load_result(path)


def test_what_is_no_file_holds_no_results():
    with pytest.raises(StorageError, match="/dev/null is no file, and results go on from one"):
        load_result("/dev/null")


@pytest.mark.parametrize("text", ["", "{}", '{"format": "celsa-result", "version": 99}'])
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(
        StorageError,
        match=r"result\.json.*(make it again|restore it from version control)",
    ):
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
    recommended = [m.params["nnz"] for m in methods if m.params.get("recipe") == "recommended"]
    assert max(recommended) == 512 // 8 and min(recommended) == 64 // 8


def test_budgets_and_seeds_of_a_run():
    config = experiment("ml-100k", "smoke", seeds=[3, 4], budgets=[64, 256])
    assert config.seeds == (3, 4)
    compressed = [m.params["nnz"] for m in config.methods if m.name == "CompressedELSA"]
    assert compressed == [32, 8]
    for wrong in ([60], [64, 64], [-8], ["64"]):
        with pytest.raises(ConfigError, match="multiples of 8"):
            schedules("ml-100k", "smoke", [0], wrong)
    with pytest.raises(ConfigError, match="whole numbers"):
        experiment("ml-100k", "smoke", seeds=[0.5])


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("profile", ["smoke", "laptop"])
def test_every_study_has_a_configuration(name, profile):
    config = study(name).config(profile)
    assert ExperimentConfig.from_json(config.to_json()).to_json() == config.to_json()
    hashes = [config.row_hash(method, seed, "") for method in config.methods for seed in (0, 1)]
    assert len(set(hashes)) == len(hashes)


def test_a_study_goes_on_where_its_file_ends(tmp_path):
    out = tmp_path / "synthetic.json"
    first = run_study("synthetic", "smoke", ("EASE", "Popularity"), out)
    assert {row["method"] for row in load_result(out).rows} == {"EASE", "Popularity"}
    more = ("EASE", "Popularity", "Low-dim ELSA", "PrunedEASE")
    whole = run_study("synthetic", "smoke", more, out)
    assert {row["label"] for row in whole.rows if row["method"] == "ELSA"} == {"Low-dim ELSA"}
    assert [row for row in whole.rows if row["method"] == "EASE"] == [
        row for row in first.rows if row["method"] == "EASE"
    ]
    assert len(whole.rows) == len(load_result(out).rows) > len(first.rows)
    with pytest.raises(ConfigError, match="unknown study"):
        run_study("goodboks")
    with pytest.raises(
        ConfigError, match="no method Nope; it has Compressed ELSA; CompressedELSA; EASE; "
    ):
        run_study("synthetic", "smoke", ("Nope",), out)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_only_the_repository_of_the_code_names_a_commit(tmp_path, monkeypatch):
    """An installed copy inside a user's repository has no commit of its own."""

    def git(*words):
        author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", tmp_path, *author, *words], check=True, capture_output=True)

    git("init")
    git("commit", "--allow-empty", "-m", "theirs")
    code = tmp_path / "manifest.py"
    code.write_text("")
    monkeypatch.setattr(manifest, "__file__", str(code))
    assert manifest.git_state() == ("unknown", None)
    git("add", "manifest.py")
    git("commit", "-m", "ours")
    assert manifest.git_state()[0] != "unknown"


def test_another_profile_leaves_the_stored_file_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_study("synthetic", "smoke", ("Popularity",))
    assert [path.name for path in tmp_path.rglob("*.json")] == ["synthetic.json"]
    assert (tmp_path / "build" / "smoke" / "synthetic.json").exists()


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


@pytest.fixture
def films() -> cl.Dataset:
    """Titles as people do not write them, and one that stands twice."""
    titles = [
        "Matrix, The (1999)",
        "Amélie",
        "Chasing Amy (1997)",
        "Chasing Amy (1997)",
        "246",
        "Up",
    ]
    items = pd.DataFrame({"title": titles}, index=[603, 194, 246, 268, 5, 14160])
    X = csr_matrix(np.eye(6, dtype=np.float32))
    return cl.Dataset("films", X, np.arange(6), items.index.to_numpy(), items, "0", "made up")


@pytest.mark.parametrize(
    ("asked", "column"),
    [
        ("the matrix", 0),
        ("Matrix", 0),
        ("AMELIE", 1),
        ("268", 3),
        ("246", 4),
        ("up", 5),
        ("atri", 0),
    ],
)
def test_titles_are_found_without_case_accents_article_and_year(films, asked, column):
    assert find_title(films, asked) == column


def test_a_title_that_stands_twice_is_told_apart_by_its_id(films):
    with pytest.raises(
        DataError, match=r"\(id 246\); Chasing Amy \(1997\) \(id 268\); .* or an id"
    ):
        find_title(films, "chasing amy")
    with pytest.raises(DataError, match='did you mean "Matrix, The'):
        find_title(films, "The Matrxi")
    with pytest.raises(DataError, match=r'"Chasing Amy .1997." .id 246.'):
        find_title(films, "chasing amyy")
    for hopeless in (" " * 60_000, "x" * 60_000, ")" + " " * 60_000 + "x"):
        with pytest.raises(DataError, match="films"):
            find_title(films, hopeless)


def test_deviations_change_what_they_say(planted):
    """Each wrapper by hand: a seen item that outranks a negative score, a list that closes up."""
    scores = np.array([[-1.0, 3.0, -2.0, 2.0]], dtype=np.float32)
    X = csr_matrix(np.array([[0, 1, 0, 0]], dtype=np.float32))
    target = csr_matrix(np.array([[0, 0, 1, 0]], dtype=np.float32))

    class Fixed(cl.Popularity):
        def _score(self, X):
            return np.repeat(scores, X.shape[0], axis=0)

    model = Fixed().fit(csr_matrix(np.ones((1, 4))))
    assert model.recommend(X, 4)[0].tolist() == [[3, 0, 2, -1]]
    assert ZeroedSeen(model).recommend(X, 4)[0].tolist() == [[3, 1, 0, 2]]
    kept = FilteredAfterwards(model, [(X, target)]).recommend(X, 4)[0]
    assert kept.tolist() == [[2, -1, -1, -1]]


def test_deviations_are_measured_on_any_dataset(tmp_path):
    out = tmp_path / "deviations.json"
    result = run_deviations("synthetic", "smoke", out)
    assert load_result(out).rows == result.rows and len(result.rows) == 9
    for row in result.rows:
        found = row["as released"] - row["default"]
        assert found == pytest.approx(row["difference"], abs=2e-5)
        assert row["low"] <= row["difference"] <= row["high"]
    models = {row["model"] for row in result.rows}
    assert models == {"EASE", "Compressed ELSA", "ELSA + SAE"}
    assert len(deviations_table(result)) == 9


def test_without_data_what_is_stored_is_shown(monkeypatch, tmp_path):
    config = experiment("netflix-prize", "smoke")  # nobody has it without asking for it
    monkeypatch.setenv("CELSA_DATA", str(tmp_path))
    monkeypatch.setenv("CELSA_OFFLINE", "1")
    with pytest.raises(DatasetNotFoundError):
        live_or_stored(lambda: run_experiment(config), tmp_path / "none.json")
    path = save_result(
        Result({"seconds": 0.0}, [method_row(label="stored")]), tmp_path / "some.json"
    )
    found = live_or_stored(lambda: run_experiment(config), path)
    assert [row["label"] for row in found.rows] == ["stored"] and not found.is_live
    planted = live_or_stored(lambda: run_experiment(first_look("synthetic", "smoke")), path)
    assert len(planted.rows) == 2 and planted.is_live


def test_a_study_is_not_run_without_its_data(monkeypatch, tmp_path):
    monkeypatch.setenv("CELSA_DATA", str(tmp_path))
    monkeypatch.setenv("CELSA_OFFLINE", "1")
    assert run_where_data_is(experiment("netflix-prize", "paper")) is None
    live = report.shown(run_where_data_is(first_look("synthetic", "smoke")))
    assert list(live.values()["budget_bytes"]) == [128, 128]
    assert "Live run" in live.notice()


def test_a_file_whose_rows_are_of_another_kind_is_refused(tmp_path):
    """By file, row and field; a few of the faults are described, the others counted."""
    path = save_result(
        Result({}, [method_row(hash=h, seed="x") for h in "abcd"]), tmp_path / "r.json"
    )
    with pytest.raises(StorageError, match=r"r\.json.*MethodRow: 0\.seed: .* got 'x'.*and 1 more"):
        load_result(path)
    save_result(Result({"kind": "deviations"}, [method_row()]), path)
    with pytest.raises(StorageError, match=r"DeviationRow: 0\.deviation: field required"):
        load_result(path)
    save_result(Result({"kind": "poems"}, []), path)
    with pytest.raises(StorageError, match="not of its kind, poems"):
        load_result(path)


def test_a_row_of_the_recommended_recipe_depends_on_what_that_fills_in(monkeypatch):
    """Other numbers in the recipe are another row, computed again; of the paper's, nothing is."""
    recommended = {"nnz": 8, "recipe": "recommended"}
    methods = (
        MethodConfig("CompressedELSA", recommended),
        MethodConfig("ELSA", {"width": 16, "recipe": "recommended"}),
        MethodConfig("CompressedELSA", {"nnz": 8}),
        MethodConfig("SparseAutoencoderELSA", recommended | {"code_width": 64}),
    )
    config = ExperimentConfig("ml-100k", methods, 100)
    before = [config.row_hash(method, 0, "checksum") for method in methods]
    monkeypatch.setattr(recipes, "SPARSE_ROWS", recipes.SPARSE_ROWS | {"reg": 1.0})
    after = [config.row_hash(method, 0, "checksum") for method in methods]
    assert [a == b for a, b in zip(after, before, strict=True)] == [False, True, True, True]
    monkeypatch.setattr(recipes, "DENSE_ROWS", recipes.DENSE_ROWS | {"learning_rate": 0.07})
    dense = [config.row_hash(method, 0, "checksum") for method in methods]
    assert [a == b for a, b in zip(dense, after, strict=True)] == [True, False, True, False]
