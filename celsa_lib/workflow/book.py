"""The book as a workflow, and which stored results are older than the code that makes them."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from celsa_lib.book.build import BUILD, SOURCES, notebooks_of
from celsa_lib.book.notebook import check_parameters
from celsa_lib.results import BENCHMARK, load_result
from celsa_lib.workflow.digests import digest
from celsa_lib.workflow.runs import NotebookRun, notebook_run
from celsa_lib.workflow.snake import Workflow

THREADS = 2  # of a notebook; more hardly help on data this small
# Layers that decide no study's numbers.
SHOWS = ("report", "book", "demo", "inpage", "workflow", "cli")
PAGE = BUILD / "_build" / "html" / "index.html"


def book_workflow(
    root: Path, profile: str, cores: int = THREADS, studies: Sequence[str] = ()
) -> Workflow:
    """Everything between the data and the first page of the book in `root`.

    `studies` go on before, each for as long as it takes. Raises ConfigError where `root` is not
    the book's folder.
    """
    runs = [_page(root, path, profile) for path in notebooks_of(root)]
    results = sorted(str(path) for path in (root / "results").glob("*.json"))
    return Workflow(
        root, root / BUILD, runs, min(cores, THREADS),
        html=digests_of_sources(root), studies=list(studies), results=results,
    )  # fmt: skip


def _page(root: Path, path: Path, profile: str) -> NotebookRun:
    notebook = path.relative_to(root)
    parameters = check_parameters(path, {"profile": profile}, only_known=True)
    return notebook_run(root, notebook, parameters, f"book/{notebook.with_suffix('')}")


def digests_of_sources(root: Path) -> dict[str, str]:
    """Of each of the book's SOURCES, a file or all files of a folder."""
    found = {}
    for name in SOURCES:
        source = root / name
        files = sorted(f for f in source.rglob("*") if f.is_file()) if source.is_dir() else [source]
        found[name] = digest(file for file in files if file.exists())
    return found


def older_results(root: Path) -> dict[str, int]:
    """Stored studies whose newest run is older than the code: how many commits changed it since.

    Empty without git, or for runs whose commit is not in its history.
    """
    found = {}
    for path in sorted((root / "results").glob("*.json")):
        result = load_result(path) if path.stem != "claims" else None
        if result is not None and result.kind != BENCHMARK:
            commit = result.manifest["runs"][result.run]["commit"]
            found[path.stem] = _commits_since(root, commit)
    return {name: number for name, number in found.items() if number}


def _commits_since(root: Path, commit: str) -> int:
    paths = ["celsa_lib", *(f":(exclude)celsa_lib/{layer}" for layer in SHOWS)]
    command = ["git", "-C", str(root), "rev-list", "--count", f"{commit}..HEAD", "--", *paths]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return 0
    return int(done.stdout) if done.returncode == 0 else 0
