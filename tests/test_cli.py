"""The command line: help everywhere, parameters refused before anything runs, one-line errors."""

import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
from commands import call
from scipy.sparse import csr_matrix
from typer.testing import CliRunner

import celsa_lib as cl
from celsa_lib.book import check_parameters
from celsa_lib.cli import app
from celsa_lib.cli.base import join_pairs
from celsa_lib.cli.training import split_of
from celsa_lib.errors import ConfigError
from celsa_lib.experiments.catalogue import OTHER_STUDIES
from celsa_lib.results import Result

COMMANDS = [[], ["data"], ["data", "list"], ["data", "fetch"], ["data", "info"], ["run"], ["train"]]
COMMANDS += [["evaluate"], ["recommend"], ["study"], ["study", "goodbooks-widths"], ["claims"]]
COMMANDS += [["book"], ["compare"], ["sweep"], ["segments"], ["export"], ["pack"], ["load"]]


@pytest.fixture
def notebook(tmp_path):
    """A notebook with parameters of each type that shows them."""
    source = 'name = "x"\ncount = 3\nrate = 0.5\nflag = True\nwords = ["a"]'
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})]
    cells.append(nbformat.v4.new_code_cell("(name, count, rate, flag, words)"))
    metadata = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    path = tmp_path / "small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help(command):
    result = call(*command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "celsa_lib.cli", "data", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "ml-100k" in done.stdout


def test_claims_writes_the_claims_table(tmp_path):
    result = call("claims", "--results", tmp_path)
    assert result.exit_code == 0
    assert "not tested here" in result.output
    assert (tmp_path / "claims.json").exists()


def test_list_says_what_is_here(tmp_path, monkeypatch):
    monkeypatch.setenv("CELSA_DATA", str(tmp_path))
    monkeypatch.setenv("CELSA_CACHE", str(tmp_path / "cache"))
    for name, file in (("goodbooks-10k-partial", "ratings.csv"), ("ml-1m", "movies.dat")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).touch()
    lines = call("data", "list").output.splitlines()
    said = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[::2]}
    assert list(said) == cl.datasets()
    assert said["goodbooks-10k-partial"].startswith("here 53,424 users × 10,000 items, 1,307,840")
    assert said["ml-1m"].startswith("incomplete 6,040 users")
    assert said["ml-100k"].startswith("not here 943 users × 1,682 items, 100,000 ratings")
    assert said["synthetic"] == "generated 6,000 users × 3,000 items"
    assert any(line.strip().startswith("MovieLens 1M; licence: GroupLens") for line in lines)
    monkeypatch.setenv("CELSA_DATA", str(tmp_path / "gone"))
    assert "CELSA_DATA names" in call("data", "list").stderr


def test_an_error_is_one_line_and_exit_1():
    result = call("data", "info", "no-such-set")
    assert result.exit_code == 1
    assert result.stderr.startswith("celsa: ")
    assert "no-such-set" in result.stderr
    assert "Traceback" not in result.output


def test_pairs():
    assert join_pairs(["nb", "-p", "a", "1", "-p", "b=2"]) == ["nb", "-p", "a=1", "-p", "b=2"]
    assert join_pairs(["nb", "-p", "a", "-1"]) == ["nb", "-p", "a=-1"]
    assert join_pairs(["nb", "-p", "a", "--out", "x"]) == ["nb", "-p", "a", "--out", "x"]


@pytest.mark.parametrize(
    ("output", "written"), [("x", "x/small.ipynb"), ("x/y.ipynb", "x/y.ipynb")]
)
def test_a_notebook_goes_into_a_folder_or_a_file(notebook, tmp_path, output, written):
    result = call("run", notebook, "--output", tmp_path / output)
    assert result.exit_code == 0, result.output
    kept = [str(path.relative_to(tmp_path)) for path in (tmp_path / "x").rglob("*")]
    assert kept == [written]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ([], "results/ml-100k-deviations.json"),
        (["--profile", "smoke"], "build/smoke/ml-100k-deviations.json"),
        (["--profile", "smoke", "--out", "x.json"], "x.json"),
    ],
)
def test_only_the_usual_profile_is_written_over_what_is_stored(monkeypatch, options, path):
    written = []

    def stand_in(dataset, profile, out):
        written.append((dataset, str(out)))
        return Result({"seconds": 0.0})

    name = "ml-100k-deviations"
    stood_for = replace(OTHER_STUDIES[name], run=stand_in)
    monkeypatch.setitem(OTHER_STUDIES, name, stood_for)
    assert call("study", name, *options).exit_code == 0
    assert written == [("ml-100k", path)]


def test_an_unknown_study_names_all_there_are():
    result = call("study", "goodboks")
    assert result.exit_code == 1
    assert "segments" in result.stderr and "ml-100k-deviations" in result.stderr


def test_an_unknown_parameter_is_refused(notebook, tmp_path):
    result = call("run", notebook, "-p", "cuont", "4", "--output", tmp_path / "out.ipynb")
    assert result.exit_code == 1
    assert "cuont" in result.stderr
    assert "count" in result.stderr
    assert not (tmp_path / "out.ipynb").exists()


@pytest.mark.parametrize(
    ("name", "text"), [("count", "four"), ("rate", "x"), ("flag", "1"), ("words", "{}")]
)
def test_a_value_of_another_type_is_refused(notebook, name, text):
    with pytest.raises(ConfigError, match=name):
        check_parameters(notebook, {name: text})


def test_values_take_the_type_of_the_default(notebook):
    given = {"name": "007", "count": "7", "rate": "1", "flag": "false", "words": '["b"]'}
    expected = {"name": "007", "count": 7, "rate": 1.0, "flag": False, "words": ["b"]}
    assert check_parameters(notebook, given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"profile": "laptp"}, 'unknown profile "laptp"; choose one of smoke, laptop, paper'),
        ({"budgets": "[10]"}, r"multiples of 8 bytes per item, got \[10\]"),
        ({"seeds": '["a"]'}, "seeds must be a list of whole numbers"),
        ({"dataset": "ml-100"}, 'profile "laptop" has no settings for "ml-100"; it has ml-100k'),
    ],
)
def test_a_profile_or_dataset_that_is_not_there_starts_no_kernel(given, message):
    with pytest.raises(ConfigError, match=message):
        check_parameters(Path("notebooks/schedules.ipynb"), given)


def test_run_needs_name_and_value(notebook):
    result = call("run", notebook, "-p", "count")
    assert result.exit_code != 0


@pytest.mark.parametrize("package", ["papermill", pytest.param("yaml", marks=pytest.mark.slow)])
def test_notebooks_without_their_extra(package):
    """Told in one line by each command that runs notebooks."""
    code = (
        f"import sys; sys.modules[{package!r}] = None; from typer.testing import CliRunner\n"
        "from celsa_lib.cli import app\n"
        "for words in (['run', 'x'], ['sweep', 'x.toml'], ['book']):\n"
        "    result = CliRunner().invoke(app, words)\n"
        "    assert isinstance(result.exception, SystemExit), result.exception\n"
        "    print(result.stderr, end='')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    said = f'celsa: notebooks and the book need {package}: pip install "celsa[book]"'
    assert done.stdout.splitlines() == [said] * 3, done.stderr


def test_a_kernel_that_dies_is_reported(notebook, tmp_path):
    found = nbformat.read(notebook, as_version=4)
    found.cells.insert(1, nbformat.v4.new_code_cell("import os\nos._exit(9)"))
    nbformat.write(found, notebook)
    result = call("run", notebook, "-p", "count", "4", "--output", tmp_path / "out.ipynb")
    assert result.exit_code == 1
    assert "small.ipynb: the kernel died in cell 2" in result.stderr, result.exception


def test_train_evaluate_recommend(tmp_path):
    """The chain on the synthetic set."""
    out = tmp_path / "embeddings.npz"
    options = ["--epochs", 1, "--nnz", 8]
    trained = call("train", "synthetic", "--out", out, *options)
    assert trained.exit_code == 0, trained.output
    assert "64 B per item" in trained.output
    evaluated = call("evaluate", out, "synthetic")
    assert "ndcg@100" in evaluated.output and not evaluated.stderr
    refused = call("recommend", out, "synthetic", "no such title")
    assert refused.exit_code == 1
    assert "no such title" in refused.stderr


def test_train_by_the_procedure_of_the_paper(tmp_path):
    out = tmp_path / "embeddings.npz"
    options = ["--recipe", "paper", "--width", 16, "--epochs", 1, "--nnz", 4]
    trained = call("train", "synthetic", "--out", out, *options, "--schedule", "constant")
    assert trained.exit_code == 0, trained.output
    assert cl.ItemEmbeddings.load(out).matrix.shape[1] == 16


def test_a_dataset_without_a_profile_is_split_as_the_registry_says():
    data = replace(cl.load_dataset("synthetic"), name="goodbooks-10k-v1")
    assert split_of(data, None, 42).test.shape[0] == 2500


def test_evaluation_is_on_users_that_training_left_out(tmp_path, monkeypatch):
    """The file says who they are; it is believed, and nothing that contradicts it."""
    out, bare = tmp_path / "trained.npz", tmp_path / "bare.npz"
    options = ["--width", 8, "--epochs", 1, "--n-test", 30, "--split-seed", 7]
    assert call("train", "synthetic", "--out", out, *options).exit_code == 0
    evaluated = call("evaluate", out, "synthetic")
    assert "\n30 users" in evaluated.stdout and not evaluated.stderr
    same = call("evaluate", out, "synthetic", "--n-test", 30, "--split-seed", 7)
    assert same.stdout == evaluated.stdout
    for other in (["--n-test", 31], ["--split-seed", 42]):
        refused = call("evaluate", out, "synthetic", *other)
        assert refused.exit_code == 1 and f"leave out {other[0]}" in refused.stderr
    trained = cl.ItemEmbeddings.load(out)
    cl.ItemEmbeddings(trained.matrix, trained.item_ids).save(bare)
    unknown = call("evaluate", bare, "synthetic", "--n-test", 30, "--split-seed", 7)
    assert unknown.stdout == evaluated.stdout
    assert "bare.npz does not say who its test users were" in unknown.stderr
    changed = replace(cl.load_dataset("synthetic"), checksum="0123456789abcdef")
    monkeypatch.setattr(cl, "load_dataset", lambda name: changed)
    refused = call("evaluate", out, "synthetic")
    assert refused.exit_code == 1 and "not on this synthetic (0123456789ab…)" in refused.stderr


def with_ids(data, ids):
    """The same items, called by other ids."""
    return replace(data, item_ids=ids, items=data.items.set_index(ids))


def test_embeddings_come_in_the_order_of_the_dataset(tmp_path, monkeypatch):
    """The same items in another order recommend the same; other items are refused."""
    rng = np.random.default_rng(0)
    data = cl.load_dataset("synthetic")
    rows = csr_matrix(rng.random((len(data.item_ids), 12)) * (rng.random((1, 12)) < 0.5))
    cl.ItemEmbeddings(rows, data.item_ids).save(tmp_path / "a.npz")
    order = rng.permutation(len(data.item_ids))
    cl.ItemEmbeddings(rows[order], data.item_ids[order].astype(str)).save(tmp_path / "b.npz")
    shown = [call("recommend", tmp_path / f"{name}.npz", "synthetic", "0007") for name in "ab"]
    assert shown[0].exit_code == 0 and shown[0].output == shown[1].output
    monkeypatch.setattr(cl, "load_dataset", lambda name: with_ids(data, data.item_ids + 1))
    cl.ItemEmbeddings(rows).save(tmp_path / "bare.npz")  # of a model that was given no ids
    refused = call("recommend", tmp_path / "bare.npz", "synthetic", "0007")
    assert refused.exit_code == 1 and "fit(X, item_ids=data.item_ids)" in refused.stderr
    monkeypatch.undo()
    cl.ItemEmbeddings(rows[1:], data.item_ids[1:]).save(tmp_path / "c.npz")
    refused = call("recommend", tmp_path / "c.npz", "synthetic", "0007")
    assert refused.exit_code == 1 and "other items than synthetic" in refused.stderr


def test_studies_are_listed_and_run(tmp_path):
    listed = call("study")
    assert listed.exit_code == 0
    for name in ("goodbooks-schedules", "ml-100k-widths", "ml-100k-deviations"):
        assert name in listed.output
    assert "partial(" not in listed.output and listed.output.count("The recommended setting") >= 3
    out = tmp_path / "synthetic.json"
    arguments = ("synthetic", "--profile", "smoke", "--method", "Popularity", "--out", str(out))
    assert call("study", *arguments).exit_code == 0 and out.exists()
    assert call("study", "goodboks").exit_code == 1


def test_a_study_that_is_not_there_is_refused_before_the_book_begins():
    result = call("book", "--study", "nosuch", "--dry-run")
    assert result.exit_code != 0 and 'unknown study "nosuch"' in result.output


def test_the_doctor_says_what_is_here_and_keeps_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("CELSA_CACHE", str(tmp_path / "not yet" / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-the-screen")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0, done.output
    assert "celsa 0." in done.stdout and "GiB free" in done.stdout
    assert "generated: synthetic" in done.stdout
    assert re.search(r"^threads +\d+ compute", done.stdout, re.MULTILINE)
    assert "apt-get install chromium" in done.stdout
    assert "OPENAI_API_KEY is set" in done.stdout and "sk-not" not in done.stdout
    monkeypatch.setenv("CELSA_DATA", str(tmp_path / "nowhere"))
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0 and "nowhere" in done.stdout


def test_ctrl_c_ends_in_a_line_and_leaves_nothing(tmp_path):
    command = [sys.executable, "-m", "celsa_lib.cli", "train", "synthetic", "--nnz", "4"]
    command += ["--epochs", "100000", "--out", "emb.npz"]
    heeds = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}  # as in a shell
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, **heeds) as process:
        said = b""
        while b"loss" not in said and process.poll() is None:  # the first epochs are over
            said += process.stderr.read(64)
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert rest.rstrip().endswith(b"celsa: stopped") and b"Traceback" not in rest
    assert not list(tmp_path.iterdir())
