"""Notebooks as files: parameters as they are written, damage in words, two runs at once."""

import json

import nbformat
import pytest
from typer.testing import CliRunner

from celsa_lib.book.notebook import check_parameters, code_of, default_parameters
from celsa_lib.cli import app
from celsa_lib.errors import ConfigError, StorageError
from celsa_lib.files import alone_with

SOURCE = """\
query = "a=b#c"  # with an = of its own
name = None
sizes = [
    64,  # bytes
    128,
]
"""


def notebook(path, source=SOURCE, tags=("parameters",)):
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


def test_parameters_are_what_python_reads(tmp_path):
    path = notebook(tmp_path / "a.ipynb")
    assert default_parameters(path) == {"query": "a=b#c", "name": None, "sizes": [64, 128]}
    assert check_parameters(path, {"query": "x=#y"}) == {"query": "x=#y"}
    assert check_parameters(path, {"name": "None"}) == {"name": None}
    assert check_parameters(path, {"name": "x"}) == {"name": "x"}
    assert check_parameters(path, {"sizes": "[1]"}) == {"sizes": [1]}
    assert default_parameters(notebook(tmp_path / "b.ipynb", tags=())) == {}


@pytest.mark.parametrize("source", ["x = 1 +", "x = print()", "x[0] = 1", "x.y = 1"])
def test_parameters_that_are_no_plain_values_are_refused(tmp_path, source):
    with pytest.raises(ConfigError, match="must be plain values"):
        default_parameters(notebook(tmp_path / "a.ipynb", source))


def damaged(path):
    whole = notebook(path).read_text()
    yield from ("", "no notebook", "[1]", "{}", "null", '"text"', "[" * 100_000)
    yield whole[: len(whole) // 2]
    for part in ("cells", "metadata"):
        yield json.dumps({k: v for k, v in json.loads(whole).items() if k != part})
    yield json.dumps(json.loads(whole) | {"cells": [{"cell_type": "code"}]})
    yield json.dumps(json.loads(whole) | {"cells": 5})


@pytest.mark.parametrize("number", range(12))
def test_a_damaged_notebook_is_named(tmp_path, number):
    path = tmp_path / "a.ipynb"
    path.write_text(list(damaged(path))[number])
    for read in (default_parameters, code_of):
        with pytest.raises(StorageError, match="a.ipynb is no notebook, or only a part of one"):
            read(path)


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "a.ipynb").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StorageError, match="it is not UTF-8 text"):
        default_parameters(tmp_path / "a.ipynb")


def test_outside_of_a_copy_of_the_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["run", "quickstart"])
    assert done.exit_code == 1 and "a copy of its repository" in done.stderr
    done = CliRunner().invoke(app, ["run", "mine.ipynb"])
    assert done.exit_code == 1 and "there is no notebook mine.ipynb; check the path" in done.stderr


def test_two_runs_into_one_file_do_not_meet(tmp_path):
    path = notebook(tmp_path / "a.ipynb")
    with alone_with(tmp_path / "out" / "a.ipynb"):
        done = CliRunner().invoke(app, ["run", str(path), "--output", str(tmp_path / "out")])
    assert done.exit_code == 1 and "another process is at work on" in done.stderr
    assert not (tmp_path / "out" / "a.ipynb").exists()
