"""The study of how much data decides, and what its page shows."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from celsa_lib import report
from celsa_lib.data import load_dataset
from celsa_lib.evaluation import evaluate, paired_difference
from celsa_lib.experiments import data_size, run_data_size
from celsa_lib.experiments.task import prepare
from celsa_lib.models import CompressedELSA, PrunedEASE
from celsa_lib.report import data_size as data_size_report
from celsa_lib.report.data_size import EVENLY, IN_WORDS, called, served, served_against
from celsa_lib.report.tables import typeset
from celsa_lib.results import load_result, users_path

THINNED = IN_WORDS[data_size.THINNED]  # as pages say it


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("data-size") / "synthetic-data-size.json"


@pytest.fixture(scope="module")
def result(path):
    return run_data_size("synthetic", "smoke", path)


def place_of(result, place):
    """The rows of the paper's procedure and of pruned EASE at one place."""
    rows = {called(row): row for row in result.select(**place)}
    return rows["Compressed ELSA"], rows["Pruned EASE"]


@pytest.fixture(scope="module")
def histories():
    return load_dataset("synthetic", n_users=300, n_items=120, n_segments=8).X


def test_every_training_set_group_size_and_method_has_a_row(result):
    places = ("trained on", "tested on", "budget_bytes")
    found = {(*(row[name] for name in places), called(row)) for row in result.rows}
    further = 5 * 2 + 1  # five at two sizes and whole EASE, trained on everything alone
    assert len(found) == len(result.rows) == 5 * 2 * 2 * 2 + 2 * further
    assert {r["tested on"] for r in result.rows} == {data_size.TEST, data_size.THINNED}
    users = {r["trained on"]: r["users"] for r in result.rows}
    assert users["half of the users"] == users["everything"] // 2
    assert users["a quarter of the users"] == users["everything"] // 4
    assert result.manifest["seconds"] > 0
    assert set(result.users) == {row["hash"] for row in result.rows}


def test_a_row_is_what_its_model_gives(result):
    """Both models of one place fitted again from what the rows say was chosen."""
    config = data_size.data_size_config("synthetic", "smoke")
    _, task = prepare(config)
    X, groups = data_size.divide(config, task)
    part = data_size.training_sets(X, config.split_seed)["half of the users"]
    place = {"trained on": "half of the users", "tested on": data_size.THINNED, "budget_bytes": 64}
    row, baseline = place_of(result, place)
    ours = CompressedELSA(
        nnz=8, width=64, epochs=2, batch_size=128, seed=0, progress=False,
        learning_rate=row["params"]["learning_rate"],
    ).fit(part)  # fmt: skip
    theirs = PrunedEASE(nnz=8, reg=baseline["params"]["reg"]).fit(part)
    folds = groups[data_size.THINNED]
    ours_found, theirs_found = evaluate(ours, folds), evaluate(theirs, folds)
    assert row["ndcg@100"] == pytest.approx(ours_found.mean["ndcg@100"], abs=1e-5)
    assert row["stderr"] == pytest.approx(ours_found.stderr["ndcg@100"], abs=1e-5)
    assert baseline["ndcg@100"] == pytest.approx(theirs_found.mean["ndcg@100"], abs=1e-5)
    assert row["steps"] == len(ours.history_) * 2 and baseline["steps"] == 0
    found = paired_difference(ours_found, theirs_found)
    lines = data_size_report.compared_data_sizes(result)
    said = place | {"tested on": THINNED}
    (line,) = lines[(lines[list(said)] == pd.Series(said)).all(axis=1)].to_dict("records")
    shown = [line[name] for name in ("difference", "difference low", "difference high")]
    assert shown == pytest.approx([found.mean, found.low, found.high], abs=2e-5)


def test_smaller_sets_are_read_more_often():
    config = data_size.data_size_config("synthetic", "smoke")  # batches of 128, one epoch
    config = replace(config, methods=[m for m in config.methods if "recipe" not in m.params])
    compressed = [m for m in config.methods if m.name == "CompressedELSA"]
    for users, epochs in ((1024, 1), (512, 2), (500, 2), (250, 4), (60, 8), (5000, 1)):
        longer = data_size.with_steps_of(1024, users, config)
        found = [m for m in longer.methods if m.name == "CompressedELSA"]
        assert {m.params["epochs"] for m in found} == {epochs}
        assert [m.params | {"epochs": 1} for m in found] == [m.params for m in compressed]
        others = [m for m in longer.methods if m.name != "CompressedELSA"]
        assert others == [m for m in config.methods if m.name != "CompressedELSA"]


def test_a_change_is_between_the_same_users(result):
    """By hand for one place: ours − theirs after half of the users, less that after everything."""
    gap = {}
    for name in ("everything", "half of the users"):
        place = {"trained on": name, "tested on": data_size.TEST, "budget_bytes": 128}
        ours, theirs = place_of(result, place)
        gap[name] = ours["ndcg@100"] - theirs["ndcg@100"]
    places = ["trained on", "tested on", "budget_bytes"]
    lines = data_size_report.compared_data_sizes(result).set_index(places).sort_index()
    line = lines.loc[("half of the users", data_size.TEST, 128)]
    expected = gap["half of the users"] - gap["everything"]
    assert line["change"] == pytest.approx(expected, abs=3e-5)
    assert line["change low"] < line["change"] < line["change high"]
    assert (lines.xs("everything")["change"] == 0).all()


def test_nobody_is_tested_who_was_learned_from():
    """Held-out users are cut from what is learned, where the test users are a set of their own."""
    config = data_size.data_size_config("synthetic", "smoke")
    _, task = prepare(config)
    X, groups = data_size.divide(replace(config, test_users="elsewhere"), task)
    given, hidden = groups[data_size.KEPT_OUT][0]
    assert X.shape[0] + given.shape[0] == task.fit.shape[0]
    total = X.sum(axis=0) + given.sum(axis=0) + hidden.sum(axis=0)
    np.testing.assert_array_equal(total, task.fit.sum(axis=0))


def test_what_is_thinned_is_a_part_with_enough_left(histories):
    half, quarter = (data_size.thin(histories, share, 0) for share in (0.5, 0.25))
    assert np.diff(half.indptr).min() >= data_size.SHORTEST
    rows = csr_matrix(np.arange(1, 301, dtype=float)[:, None])
    marked = data_size.thin(csr_matrix(histories.multiply(rows.toarray())), 0.5, 0)
    for row in marked:  # a value says which user an interaction was of
        (user,) = set(row.data.astype(int) - 1)
        assert set(row.indices) <= set(histories[user].indices)
    assert 0.4 < data_size.thin(histories, 0.5, 1).nnz / histories.nnz < 0.55
    assert quarter.nnz < half.nnz < histories.nnz


def test_a_smaller_share_lies_within_a_larger_one():
    X = csr_matrix(np.ones((4, 400)))
    half, quarter = (data_size.thin(X, share, 3).toarray() for share in (0.5, 0.25))
    assert (quarter <= half).all() and 0 < quarter.sum() < half.sum()
    assert not (data_size.thin(X, 0.5, 4).toarray() == half).all()


def test_what_is_stored_is_not_run_again(result, path, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("trained again")

    monkeypatch.setattr(data_size, "run_and_keep", refuse)
    again = run_data_size("synthetic", "smoke", path)
    assert again.rows == result.rows == load_result(path).rows
    content = json.loads(path.read_text())
    content["manifest"]["data"]["checksum"] = "other"
    path.with_name("changed.json").write_text(json.dumps(content))
    shutil.copy(users_path(path), path.with_name("changed.users.npz"))
    with pytest.raises(AssertionError, match="trained again"):
        run_data_size("synthetic", "smoke", path.with_name("changed.json"))
    shutil.copy(path, path.with_name("alone.json"))  # without the users' values
    with pytest.raises(AssertionError, match="trained again"):
        run_data_size("synthetic", "smoke", path.with_name("alone.json"))


@pytest.fixture
def run_from(path, tmp_path, monkeypatch):
    """A function that runs the study where a file has `rows` of `methods` alone: the result, and
    the (users, names of methods) of each run.
    """
    run, runs = data_size.run_and_keep, []

    def noted(config, data, task):
        runs.append((task.fit.shape[0], [method.name for method in config.methods]))
        return run(config, data, task)

    def run_again(rows, methods):
        content = json.loads(path.read_text())
        content["rows"], content["manifest"]["config"]["methods"] = rows, methods
        older = tmp_path / "older.json"
        older.write_text(json.dumps(content))
        shutil.copy(users_path(path), users_path(older))
        monkeypatch.setattr(data_size, "run_and_keep", noted)
        return run_data_size("synthetic", "smoke", older), runs

    return run_again


def test_only_what_is_missing_is_run(result, run_from):
    half = {"trained on": "half of each history"}
    (row, *_) = result.select(**half)
    rows = [r for r in result.rows if r["trained on"] != half["trained on"]]
    found, ((users, _),) = run_from(rows, result.manifest["config"]["methods"])
    assert users == row["users"]
    assert_same_numbers(found, result)


def assert_same_numbers(found, result):
    """But for when they were computed, and by which run."""

    def numbers(rows):
        of_run = {"seconds": 0, "run": "", "digest": ""}
        return sorted(json.dumps(row | of_run, sort_keys=True) for row in rows)

    assert numbers(found.rows) == numbers(result.rows)
    assert set(found.users) == set(result.users)


def test_a_method_that_joins_is_run_alone(result, run_from):
    """A file of fewer methods, as older ones are, keeps its rows."""
    methods = [m for m in result.manifest["config"]["methods"] if m["name"] != "EASE"]
    rows = [row for row in result.rows if row["method"] != "EASE"]
    found, ((_, names),) = run_from(rows, methods)
    assert names == ["EASE"]
    assert_same_numbers(found, result)


def test_the_recommended_setting_is_held_against_others_by_who_is_tested(result, path):
    lines = served(result)
    assert set(lines["tested on"]) == {data_size.TEST, THINNED}
    others = {EVENLY, "EASE", "Pruned EASE", "EASE, one threshold", "EASE, threshold, refitted"}
    assert set(lines["compared with"]) == others | {"EDLAE, one threshold", "Compressed ELSA"}
    line = lines[(lines["compared with"] == "EASE") & (lines["bytes per item"] == 64)].iloc[0]
    assert line["difference"].mean == pytest.approx(line["ours"] - line["theirs"], abs=3e-5)
    checks = served_against(result, "EASE")
    assert [c.what for c in checks][:2] == ["test users, 128 B", "test users, 64 B"]
    assert "20 % of each history, 64 B" in [c.what for c in checks]
    shown = report.stored(path.stem, path.parent).served_table()
    assert typeset(f"{line['difference'].mean:+.4f}") in shown
    older = replace(result, rows=[r for r in result.rows if "recipe" not in r["params"]])
    assert "not in" in report.shown(replace(older, path=path)).served_table()


def test_the_page_shows_lines_of_sets_and_of_groups(result, path):
    compared = data_size_report.compared_data_sizes(result)
    above, below = data_size_report.data_size_figure(compared).axes
    assert len(above.get_legend_handles_labels()[1]) == 5
    assert below.get_legend_handles_labels()[1] == [data_size.TEST, THINNED]
    first, last = compared.iloc[0], compared.iloc[-1]
    table = data_size_report.data_size_table(compared)
    assert table["difference"].iloc[0].startswith(f"{first['difference']:+.4f} (")
    assert table["change"].iloc[0] == "" and table["change"].iloc[-1].endswith(
        f"({last['change low']:+.4f} to {last['change high']:+.4f})"
    )
    assert table["reg"].iloc[0] == f"{first['reg']:g}"
    stored = report.stored(path.stem, path.parent)
    shown = stored.table()
    assert typeset(f"{first['difference']:+.4f}") in shown and "stored results" in shown
    assert len(stored.figure().axes) == 2
