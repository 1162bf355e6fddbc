"""Stored results are checked: a changed number by its digest, a wrong one by computing it again."""

import json
import re
import shutil
from pathlib import Path

import pytest
from stored_rows import method_row
from typer.testing import CliRunner

from celsa_lib import report
from celsa_lib.cli import app
from celsa_lib.errors import StorageError
from celsa_lib.experiments import (
    prepare,
    run_data_size,
    run_deviations,
    run_segments,
    run_study,
    segment_config,
)
from celsa_lib.experiments.verify import TOLERANCE, _effort, recompute, verify
from celsa_lib.results import load_intact, load_result, save_result, users_path

ROOT = Path(__file__).parents[1]
METHOD = "CompressedELSA"
SEGMENTS = segment_config("synthetic", "smoke")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The study of planted segments at the smoke profile, its Compressed ELSA alone."""
    folder = tmp_path_factory.mktemp("results")
    run_study("synthetic", "smoke", (METHOD,), folder / "synthetic.json")
    return folder


@pytest.fixture
def stored(folder):
    return folder / "synthetic.json"


def test_what_was_stored_comes_out_again(stored):
    found = verify(stored)
    assert found.holds and not found.changed
    assert found.rows == 3 * (3 + 3)  # three seeds; two sizes and one below, of both recipes
    assert abs(found.recomputed.found - found.recomputed.stored) < 1e-5
    assert found.recomputed.tolerance == TOLERANCE


def test_a_changed_number_is_found_by_its_digest(stored, tmp_path):
    content = json.loads(stored.read_text())
    content["rows"][1]["mean"]["ndcg@100"] += 0.01
    path = tmp_path / "synthetic.json"
    path.write_text(json.dumps(content))
    found = verify(path)
    assert not found.holds
    assert {row["hash"] for row in found.changed} >= {content["rows"][1]["hash"]}
    done = CliRunner().invoke(app, ["verify", "--results", str(tmp_path)])
    assert done.exit_code == 1 and "CHANGED" in done.output


@pytest.mark.parametrize("change", ["a row less", "another machine", "a trial less", "no digest"])
def test_a_removed_row_or_another_record_is_found(stored, tmp_path, change):
    content = json.loads(stored.read_text())
    if change == "a row less":
        del content["rows"][2]
    elif change == "another machine":
        next(iter(content["manifest"]["runs"].values()))["machine"] = "a faster one"
    elif change == "a trial less":
        content["trials"].popitem()
    else:
        del content["digest"]
    path = tmp_path / "synthetic.json"
    path.write_text(json.dumps(content))
    shutil.copy(users_path(stored), users_path(path))
    found = verify(path)
    assert not found.changed
    assert found.altered == (change != "no digest") and found.holds == (change == "no digest")
    if found.altered:
        with pytest.raises(StorageError, match="has rows or a record that are not as they were"):
            load_intact(path)
        done = CliRunner().invoke(app, ["verify", "--results", str(tmp_path)])
        assert done.exit_code == 1 and "ADDED OR REMOVED" in done.output


def test_an_older_file_without_a_digest_is_reported_as_such(stored, tmp_path, monkeypatch):
    monkeypatch.setattr("celsa_lib.experiments.verify.CHECKS", {})  # by digest alone
    content = json.loads(stored.read_text())
    del content["digest"]
    path = tmp_path / "synthetic.json"
    path.write_text(json.dumps(content))
    shutil.copy(users_path(stored), users_path(path))
    assert verify(path).unsealed and not verify(stored).unsealed
    done = CliRunner().invoke(app, ["verify", "--results", str(tmp_path)])
    assert done.exit_code == 0
    assert "as stored, in an older file without a digest of its own" in done.output


@pytest.mark.parametrize(
    "path", sorted((ROOT / "results").glob("*.json")), ids=lambda path: path.stem
)
def test_every_stored_result_has_a_digest_of_its_own(path):
    assert path.stem == "claims" or load_result(path).digest


def test_a_wrong_number_is_found_by_computing_it_again(stored):
    """Also where its digest fits."""
    result = load_result(stored)
    for row in result.rows:
        row["mean"]["ndcg@100"] += 0.01
    assert not recompute(result).agrees


def test_what_needs_no_package_is_computed_again_before_what_does():
    asked = (("SANSA", 0.1), ("Compresso", 0.2), ("EASE", 0.3), ("ELSA", 5.0), ("ELSA", 4.0))
    rows = [method_row(method=name, seconds_fit=seconds) for name, seconds in asked]
    found = [row["seconds_fit"] for row in sorted(rows, key=_effort)]
    assert found == [4.0, 5.0, 0.3, 0.2, 0.1]  # ELSA twice, EASE, then what needs a package


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("ml-100k-deviations", lambda out: run_deviations("synthetic", "smoke", out)),
        ("ml-100k-data-size", lambda out: run_data_size("synthetic", "smoke", out)),
        ("segments", lambda out: run_segments(SEGMENTS, *prepare(SEGMENTS), out)),
    ],
)
def test_a_row_of_every_other_kind_of_study_is_computed_again(name, run, tmp_path):
    """What comes out is what is stored, and it does not if the stored one is another."""
    path = tmp_path / f"{name}.json"
    run(path)
    found = verify(path)
    assert found.holds and found.recomputed.agrees
    assert found.recomputed.found == pytest.approx(found.recomputed.stored, abs=1e-5)
    result = load_result(path)
    for row in result.rows:
        for number in {"as released", "ndcg@100", "value"} & set(row):
            row[number] += 0.5
    assert not recompute(result).agrees


def test_an_unknown_precision_has_the_tolerance_of_its_standard_error(stored, tmp_path):
    result = load_result(stored)
    result.rows = [row | {"precision": "unknown"} for row in result.rows]
    save_result(result, tmp_path / "synthetic.json")
    found = verify(tmp_path / "synthetic.json").recomputed
    assert found.tolerance in {row["stderr"]["ndcg@100"] for row in result.rows}


def test_a_study_without_its_data_is_checked_by_digest(stored, tmp_path, monkeypatch):
    monkeypatch.setenv("CELSA_DATA", str(tmp_path))
    monkeypatch.setenv("CELSA_OFFLINE", "1")
    result = load_result(stored)
    result.manifest["config"] |= {"dataset": "netflix-prize", "data_params": {}}
    save_result(result, tmp_path / "netflix-prize.json")
    found = verify(tmp_path / "netflix-prize.json")
    assert found.holds and found.why_not == "its data is not here: by digest alone"


def test_the_command_says_what_agrees(stored):
    done = CliRunner().invoke(app, ["verify", "synthetic", "--results", str(stored.parent)])
    assert done.exit_code == 0, done.output
    assert "18 rows as stored; Compressed ELSA, " in done.output and "agrees" in done.output


@pytest.mark.parametrize("options", [[], ["synthetic"]])
def test_a_folder_without_results_is_refused(options, tmp_path):
    for folder, said in ((tmp_path / "none", "no folder"), (tmp_path, "holds no stored results")):
        done = CliRunner().invoke(app, ["verify", *options, "--results", str(folder)])
        assert done.exit_code == 1 and said in done.stderr


@pytest.mark.parametrize("text", ['{"claims"', "[]", '{"claims": [{"id": "x"}]}'])
def test_a_damaged_claims_table_is_named(text, tmp_path):
    path = tmp_path / "claims.json"
    path.write_text(text)
    with pytest.raises(StorageError, match="claims.json is not a file of claims"):
        report.claims(tmp_path).lost_beside(path)


def test_a_changed_number_is_neither_shown_nor_judged(tmp_path):
    """Verdicts use the users' values and tables the mean: shown apart, they could differ."""
    for name in ("ml-100k.json", "ml-100k.users.npz"):
        shutil.copy(ROOT / "results" / name, tmp_path / name)
    path = tmp_path / "ml-100k.json"
    head, rows = path.read_text().split('"rows": [')
    path.write_text(
        f'{head}"rows": [' + re.sub('"ndcg@100": 0.[0-9]+', '"ndcg@100": 0.9', rows, count=1)
    )
    for show in (lambda: report.stored("ml-100k", tmp_path), lambda: report.claims(tmp_path)):
        with pytest.raises(StorageError, match="not as they were computed; restore the file"):
            show()


def test_a_claims_table_is_not_taken_for_a_result():
    with pytest.raises(StorageError, match="holds celsa-claims version 1, this celsa reads "):
        load_result(ROOT / "results/claims.json")


def test_claims_do_not_lose_their_verdicts_silently(tmp_path):
    shutil.copytree(ROOT / "results", tmp_path / "results")
    (tmp_path / "results/ml-100k.json").unlink()
    before = (tmp_path / "results/claims.json").read_text()
    done = CliRunner().invoke(app, ["claims", "--results", str(tmp_path / "results")])
    assert done.exit_code != 0
    assert "a verdict in" in " ".join(done.output.replace("│", "").split())
    assert (tmp_path / "results/claims.json").read_text() == before
