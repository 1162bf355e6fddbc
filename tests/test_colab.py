"""Notebooks for Colab: the cell that installs, the branch that carries the copies."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from celsa_lib.book.colab import BRANCH, SETUP, add_setup

ROOT = Path(__file__).parents[1]
URL = "https://github.com/some/book"
IDENTITY = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
# A kernel's shell without the celsa of this environment, in a folder of its own.
SHELL = """
import sys
from pathlib import Path
sys.meta_path = [f for f in sys.meta_path if "Editable" not in getattr(f, "__name__", "")]
sys.path = [""] + [p for p in sys.path if p and not (Path(p) / "celsa_lib").exists()]
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for part in sys.argv[1:]:
    shell.run_cell(part).raise_error()
"""


def git(*arguments: str, cwd: Path, **more) -> str:
    command = ["git", *IDENTITY, *arguments]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path) -> Path:
    """A repository with the library, its lock and some results, on the branch main."""
    folder = tmp_path / "origin"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "celsa_lib", folder / "celsa_lib")
    (folder / "results").mkdir()
    (folder / "results/claims.json").write_text("{}")
    git("init", "--quiet", "--initial-branch", "main", cwd=folder)
    git("add", ".", cwd=folder)
    git("commit", "--quiet", "--message", "all", cwd=folder)
    return folder


def run_cells(folder: Path, *cells: str, **environment: str) -> str:
    """The output of cells in a fresh shell in `folder`; pip finds nothing but what is here."""
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    environment = os.environ | offline | environment
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-c", SHELL, *cells]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_cell_fetches_celsa_once_and_goes_to_its_folder(repository, tmp_path):
    elsewhere, installed = tmp_path / "colab", tmp_path / "installed"
    elsewhere.mkdir()
    cell = SETUP.format(url=repository.as_uri(), branch="main")
    look = "import celsa_lib; print(celsa_lib.__file__, Path('results/claims.json').exists())"
    said = run_cells(elsewhere, cell, look, PIP_TARGET=str(installed))
    assert said.strip().endswith(f"{elsewhere}/celsa/celsa_lib/__init__.py True")
    assert (installed / "celsa_lib").is_dir()
    shutil.rmtree(elsewhere / "celsa/.git")  # after a restart it fetches nothing again
    again = "import sys; sys.path.append(%r)" % str(installed)  # noqa: UP031
    said = run_cells(elsewhere, again, cell, look)
    assert said.strip().endswith("celsa_lib/__init__.py True")
    assert not (elsewhere / "celsa/.git").exists()


def test_the_cell_does_nothing_where_celsa_is(tmp_path):
    cell = SETUP.format(url="https://nowhere.invalid/a", branch="main")
    said = run_cells(tmp_path, f"import sys; sys.path.append({str(ROOT)!r})", cell)
    assert said == "" and not list(tmp_path.iterdir())


def test_every_notebook_gets_the_cell_below_its_title(tmp_path):
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(path, tmp_path)
    add_setup(tmp_path, URL, "main")
    for path in tmp_path.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        before = nbformat.read(ROOT / "notebooks" / path.name, as_version=4)
        title, setup, *rest = notebook.cells
        assert [title, *rest] == before.cells
        assert title.cell_type == "markdown" and f"--branch main {URL} celsa" in setup.source


def test_the_workflow_pushes_the_copies_to_the_branch_of_the_button(repository, tmp_path):
    workflow = yaml.safe_load((ROOT / ".github/workflows/publish.yml").read_text())
    (step,) = [s for s in workflow["jobs"]["publish"]["steps"] if "Colab" in s.get("name", "")]
    copies = repository / "build/_build/html/_sources/notebooks"
    copies.mkdir(parents=True)
    (copies / "a.ipynb").write_text("{}")
    shutil.copy(ROOT / ".gitignore", repository)
    git("clone", "--quiet", "--bare", repository.as_uri(), tmp_path / "bare", cwd=tmp_path)
    git("remote", "add", "origin", (tmp_path / "bare").as_uri(), cwd=repository)
    environment = os.environ | step["env"]
    for _ in range(2):  # a second time over the first
        command = ["bash", "-e", "-c", step["run"]]
        subprocess.run(command, cwd=repository, env=environment, check=True)
    names = git("ls-tree", "-r", "--name-only", BRANCH, cwd=tmp_path / "bare")
    assert names.split() == ["notebooks/a.ipynb"]
    said = git("log", "--format=%s", BRANCH, cwd=tmp_path / "bare")
    assert said.strip() == f"Notebooks of {git('rev-parse', 'HEAD', cwd=repository).strip()}"
    assert git("status", "--porcelain", cwd=repository).split() == ["??", ".gitignore"]
