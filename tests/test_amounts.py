"""The study of how much data decides, and what its page shows."""

import json

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from celsa_lib import report
from celsa_lib.data import load_dataset
from celsa_lib.evaluation import evaluate, paired_difference
from celsa_lib.experiments import amounts, run_amounts
from celsa_lib.experiments.studies import prepare
from celsa_lib.models import CompressedELSA, PrunedEASE
from celsa_lib.results import load_result


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("amounts") / "synthetic-amounts.json"


@pytest.fixture(scope="module")
def result(path):
    return run_amounts("synthetic", "smoke", path)


@pytest.fixture(scope="module")
def histories():
    return load_dataset("synthetic", n_users=300, n_items=120, n_segments=8).X


def test_every_training_set_group_and_size_has_a_row(result):
    found = [(r["trained on"], r["tested on"], r["budget_bytes"]) for r in result.rows]
    assert len(set(found)) == len(found) == 5 * 2 * 2
    assert {r["tested on"] for r in result.rows} == {amounts.TEST, amounts.THINNED}
    users = {r["trained on"]: r["users"] for r in result.rows}
    assert users["half of the users"] == users["everything"] // 2
    assert users["a quarter of the users"] == users["everything"] // 4
    assert result.manifest["seconds"] > 0


def test_a_row_is_what_its_models_give(result):
    """Both models of one row fitted again from what the row says was chosen."""
    config = amounts.amounts_config("synthetic", "smoke")
    _, task = prepare(config)
    X, groups = amounts.divide(config, task)
    part = amounts.training_sets(X, config.split_seed)["half of the users"]
    (row,) = result.select(
        **{"trained on": "half of the users", "tested on": amounts.THINNED, "budget_bytes": 64}
    )
    ours = CompressedELSA(
        nnz=8, width=64, epochs=1, batch_size=128, learning_rate=row["learning_rate"],
        seed=0, progress=False,
    ).fit(part)  # fmt: skip
    theirs = PrunedEASE(nnz=8, reg=row["reg"]).fit(part)
    folds = groups[amounts.THINNED]
    found = paired_difference(evaluate(ours, folds), evaluate(theirs, folds))
    assert row["difference"] == pytest.approx(found.mean, abs=2e-5)
    assert (row["low"], row["high"]) == pytest.approx((found.low, found.high), abs=2e-5)
    assert row["ours"] - row["theirs"] == pytest.approx(row["difference"], abs=2e-5)


def test_nobody_is_tested_who_was_learned_from():
    """Users kept out are cut from what is learned, where the test users are a set of their own."""
    from dataclasses import replace

    config = amounts.amounts_config("synthetic", "smoke")
    _, task = prepare(config)
    X, groups = amounts.divide(replace(config, test_users="elsewhere"), task)
    given, hidden = groups[amounts.KEPT_OUT][0]
    assert X.shape[0] + given.shape[0] == task.fit.shape[0]
    total = X.sum(axis=0) + given.sum(axis=0) + hidden.sum(axis=0)
    np.testing.assert_array_equal(total, task.fit.sum(axis=0))


def test_what_is_thinned_is_a_part_with_enough_left(histories):
    half, quarter = (amounts.thin(histories, share, 0) for share in (0.5, 0.25))
    assert np.diff(half.indptr).min() >= amounts.SHORTEST
    rows = csr_matrix(np.arange(1, 301, dtype=float)[:, None])
    marked = amounts.thin(csr_matrix(histories.multiply(rows.toarray())), 0.5, 0)
    for row in marked:  # a value says which user an interaction was of
        (user,) = set(row.data.astype(int) - 1)
        assert set(row.indices) <= set(histories[user].indices)
    assert 0.4 < amounts.thin(histories, 0.5, 1).nnz / histories.nnz < 0.55
    assert quarter.nnz < half.nnz < histories.nnz


def test_a_smaller_share_lies_within_a_larger_one():
    X = csr_matrix(np.ones((4, 400)))
    half, quarter = (amounts.thin(X, share, 3).toarray() for share in (0.5, 0.25))
    assert (quarter <= half).all() and 0 < quarter.sum() < half.sum()
    assert not (amounts.thin(X, 0.5, 4).toarray() == half).all()


def test_what_is_stored_is_not_run_again(result, path, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("trained again")

    monkeypatch.setattr(amounts, "run_and_keep", refuse)
    again = run_amounts("synthetic", "smoke", path)
    assert again.rows == result.rows == load_result(path).rows
    content = json.loads(path.read_text())
    content["manifest"]["data"]["checksum"] = "other"
    path.with_name("changed.json").write_text(json.dumps(content))
    with pytest.raises(AssertionError, match="trained again"):
        run_amounts("synthetic", "smoke", path.with_name("changed.json"))


def test_only_what_is_missing_is_run(result, path, tmp_path, monkeypatch):
    content = json.loads(path.read_text())
    content["rows"] = [r for r in content["rows"] if r["trained on"] != "half of each history"]
    cut = tmp_path / "cut.json"
    cut.write_text(json.dumps(content))
    sizes = []
    run = amounts.run_and_keep

    def counted(config, data, task):
        sizes.append(task.fit.shape[0])
        return run(config, data, task)

    monkeypatch.setattr(amounts, "run_and_keep", counted)
    found = run_amounts("synthetic", "smoke", cut)
    (row, *_) = result.select(**{"trained on": "half of each history"})
    assert sizes == [row["users"]]

    def numbers(rows):
        return sorted(json.dumps(r | {"seconds": 0}, sort_keys=True) for r in rows)

    assert numbers(found.rows) == numbers(result.rows)


def test_the_page_shows_lines_of_sets_and_of_groups(result, path):
    above, below = report.amounts_figure(result.rows).axes
    assert len(above.get_legend_handles_labels()[1]) == 5
    assert below.get_legend_handles_labels()[1] == [amounts.TEST, amounts.THINNED]
    (first, *_) = result.rows
    line = report.amounts_table(result.rows).iloc[0]
    assert line["difference"].startswith(f"{first['difference']:+.4f} [")
    assert line["reg"] == f"{first['reg']:g}"
    shown = report.stored_amounts(path)
    assert f"{first['difference']:+.4f}" in shown and "Stored results" in shown
    assert len(report.stored_amounts_figure(path).axes) == 2


def test_without_the_file_a_note(tmp_path):
    for show in (report.stored_amounts, report.stored_amounts_figure):
        assert "celsa study none" in show(tmp_path / "none.json")
