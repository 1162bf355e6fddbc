"""The notebooks run at the smoke profile, give the same outputs twice, and name a failing cell."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from conftest import NOTEBOOKS, ROOT, every_notebook

import celsa_lib as cl
from celsa_lib.book import run_notebook
from celsa_lib.book.notebook import QUIET, default_parameters
from celsa_lib.errors import NotebookError
from celsa_lib.experiments import settings_for

CHECKED = "nbval-check-output"
TEACHING = {"from_scratch", "exercises"}  # code to learn from: these may define functions
# Of those that the quick suite runs, these run there a second time.
TWICE = {"quickstart", "from_scratch", "schedules", "segments"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_source_has_no_outputs_no_definitions_and_parameters(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    forbidden = ("class ", "tqdm") if path.stem in TEACHING else ("def ", "class ", "tqdm")
    assert not any(word in cell.source for cell in code for word in forbidden)
    defaults = set(default_parameters(path))
    assert {"profile", "dataset", "seed"} <= defaults or "results" in defaults
    if "dataset" in defaults:  # the book is built at the laptop profile
        assert settings_for("laptop", default_parameters(path)["dataset"]).n_test
    assert any(CHECKED in cell.metadata.get("tags", []) for cell in code)


def cells_of(stem: str, tag: str) -> list:
    """Cells with a tag in the source of a notebook."""
    cells = nbformat.read(ROOT / f"notebooks/{stem}.ipynb", as_version=4).cells
    return [cell for cell in cells if tag in cell.metadata.get("tags", [])]


def test_from_scratch_needs_no_library():
    sources = [cell.source for cell in cells_of("from_scratch", "from-scratch")]
    lines = [line for source in sources for line in source.splitlines() if line.strip()]
    imported = re.findall(r"^(?:import|from) (\w+)", "\n".join(lines), re.M)
    assert set(imported) == {"numpy", "torch"}
    assert not any(re.search(r"\bcl\.|#", line) for line in lines)


def test_from_scratch_trains_as_the_library_does(histories):
    """The same places and values, also where the schedule's rounding repeats a k."""
    values = {"width": 16, "nnz": 2, "epochs": 4, "seed": 0}
    values |= {"split": SimpleNamespace(train=histories)}
    values |= {"settings": SimpleNamespace(batch_size=64)}
    for cell in cells_of("from_scratch", "from-scratch")[:3]:  # up to training
        exec(cell.source, values)
    ks = values["exponential"](16, 2, 4)
    assert ks == [16, 6, 5, 4, 4, 3, 2, 2, 2, 2]  # 4 comes twice: one prune, one restart
    model = cl.CompressedELSA(16, 2, epochs=4, batch_size=64, backend="reference", progress=False)
    rows = model.fit(histories).item_embeddings.matrix.toarray()
    assert [entry["nnz"] for entry in model.history_] == ks
    assert np.abs(rows - values["ours"].numpy()).max() < 1e-3


def test_every_exercise_has_a_folded_solution_that_checks_itself():
    cells = nbformat.read(ROOT / "notebooks/exercises.ipynb", as_version=4).cells
    tasks = [c for c in cells if c.cell_type == "markdown" and re.match(r"## \d+\. ", c.source)]
    solutions = cells_of("exercises", "solution")
    assert len(tasks) == len(solutions) == 10
    stars = [task.source.splitlines()[0].count("★") for task in tasks]
    assert stars == sorted(stars) and set(stars) == {1, 2, 3}  # of rising difficulty
    for solution in solutions:
        assert "hide-cell" in solution.metadata.tags  # folded on the page
        assert solution.metadata.jupyter.source_hidden  # and in Jupyter
        assert re.search(r"^assert ", solution.source, re.M)


@pytest.mark.parametrize("stem", every_notebook())
def test_the_first_output_says_where_numbers_come_from(executed, stem):
    notebook = nbformat.read(executed[stem], as_version=4)
    outputs = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    said = outputs[0]["data"]["text/html"]
    assert re.search("Live run|Stored|Not measured", said)
    if "dataset" in default_parameters(executed[stem]):
        assert any("Live run" in o.get("data", {}).get("text/html", "") for o in outputs)
    assert not any(output.output_type == "stream" for output in outputs)


@pytest.mark.parametrize("stem", every_notebook())
def test_every_picture_has_alt_text(executed, stem):
    for cell in nbformat.read(executed[stem], as_version=4).cells:
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            assert len(cell.metadata["mystnb"]["image"]["alt"]) > 30


@pytest.mark.parametrize(
    "stems",
    [
        pytest.param(TWICE, id="some"),
        pytest.param(
            {path.stem for path in NOTEBOOKS} - TWICE,
            id="the others",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_nbval_finds_every_output_again(executed, stems):
    """A second run gives the same outputs, images included; dates and seconds are left out.

    One kernel after the other: two that start in the same moment may choose the same ports.
    """
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "-p", "no:cacheprovider"]
    command += ["--nbval-sanitize-with", str(ROOT / "tests" / "nbval.cfg")]
    command += ["--nbval-kernel-startup-timeout", "120"]
    command += ["--rootdir", str(ROOT), *(str(executed[stem]) for stem in sorted(stems))]
    quiet = os.environ | {"PYTHONWARNINGS": QUIET}  # as `run_notebook` sets it
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=quiet)
    assert done.returncode == 0, done.stdout[-3000:]


def failing_notebook(path: Path) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in ("1 + 1", "1 / 0")]
    metadata = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


def test_a_failure_names_notebook_and_cell_and_leaves_no_result(tmp_path):
    path = failing_notebook(tmp_path / "broken.ipynb")
    target = tmp_path / "out" / "broken.ipynb"
    with pytest.raises(NotebookError, match=r"broken\.ipynb failed in cell 2: ZeroDivisionError"):
        run_notebook(path, target, {}, cwd=tmp_path)
    assert not target.exists()
