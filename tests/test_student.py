"""The exercises as students get them: no solutions, and each runs after the shared cells alone."""

import shutil
from pathlib import Path

import nbformat
import pytest

from celsa_lib.book.student import (
    EXERCISES,
    STUDENT_COPY,
    YOURS,
    without_solutions,
    write_student_copy,
)
from celsa_lib.experiments import settings_for

SOURCE = Path(__file__).parents[1] / "notebooks" / EXERCISES


def exercises() -> dict[str, list]:
    """Code cells by the exercise that they stand in; "" for those that all share."""
    found, title = {"": []}, ""
    for cell in nbformat.read(SOURCE, as_version=4).cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            title = cell.source.splitlines()[0].removeprefix("## ").split(".")[0]
        elif cell.cell_type == "code" and "nbval-check-output" not in cell.metadata.get("tags", []):
            found.setdefault(title, []).append(cell.source)
    return found


EXERCISE_CELLS = exercises()


@pytest.fixture(scope="module")
def shared() -> dict:
    """What the shared cells define, on the synthetic set."""
    values = {}
    parameters, *others = EXERCISE_CELLS[""]
    exec(parameters, values)
    values |= {"profile": "smoke", "dataset": "synthetic"}
    assert settings_for("smoke", "synthetic").n_test
    for source in others:
        exec(source, values)
    return values


@pytest.mark.parametrize("number", [number for number in EXERCISE_CELLS if number])
def test_an_exercise_runs_after_the_shared_cells_alone(shared, number):
    values = dict(shared)
    for source in EXERCISE_CELLS[number]:
        exec(source, values)


def test_a_copy_has_every_task_and_no_solution(tmp_path):
    shutil.copy(SOURCE, tmp_path)
    write_student_copy(tmp_path)
    ours, theirs = (
        nbformat.read(path, as_version=4).cells for path in (SOURCE, tmp_path / STUDENT_COPY)
    )
    solutions = [c.source for c in ours if "solution" in c.metadata.get("tags", [])]
    text = "\n".join(cell.source for cell in theirs)
    assert len(solutions) == text.count(YOURS) == 10
    assert not any(solution in text for solution in solutions)
    tasks = [c.source for c in ours if c.source.startswith("## ")]
    assert tasks == [c.source for c in theirs if c.source.startswith("## ")]
    assert "folded away" not in text
    assert not any(c.outputs for c in theirs if c.cell_type == "code")


def test_a_book_without_exercises_has_no_copy(tmp_path):
    write_student_copy(tmp_path)
    assert not list(tmp_path.iterdir())


def test_outputs_stay_behind():
    cell = nbformat.v4.new_code_cell("1 + 1", outputs=[nbformat.v4.new_output("stream", text="2")])
    copy = without_solutions(nbformat.v4.new_notebook(cells=[cell]))
    assert copy.cells[0].source == "1 + 1" and copy.cells[0].outputs == []
