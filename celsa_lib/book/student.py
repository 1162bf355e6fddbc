"""The exercises as students get them: the same notebook without solutions."""

from pathlib import Path

import nbformat

from celsa_lib.files import write_whole

EXERCISES, STUDENT_COPY = "exercises.ipynb", "exercises-student.ipynb"
SOLUTION, TEACHER_ONLY = "solution", "teacher-only"  # tags of cells
YOURS = "# Your solution"


def write_student_copy(notebooks: Path) -> None:
    """Write the copy beside the exercises in the folder `notebooks`, where they are there."""
    source = notebooks / EXERCISES
    if not source.exists():
        return
    text = nbformat.writes(without_solutions(nbformat.read(source, as_version=4)))
    write_whole(notebooks / STUDENT_COPY, lambda out: out.write(text.encode()))


def without_solutions(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A copy without outputs, with an empty cell where a solution stood."""
    cells = []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if TEACHER_ONLY in tags:
            continue
        if SOLUTION in tags:
            cells.append(nbformat.v4.new_code_cell(YOURS, id=cell.id))
        elif cell.cell_type == "code":
            kept = {"metadata": cell.metadata, "id": cell.id}
            cells.append(nbformat.v4.new_code_cell(cell.source, **kept))
        else:
            cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)
