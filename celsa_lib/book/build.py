"""The book: notebooks run through papermill, then built strictly into HTML."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from celsa_lib.book.fingerprint import notebook_digest
from celsa_lib.book.front import CARD, write_front
from celsa_lib.book.notebook import check_parameters, run_notebook
from celsa_lib.book.publish import configure, publish
from celsa_lib.book.slides import write_slides
from celsa_lib.data import files_checksum
from celsa_lib.errors import ConfigError, NotebookError
from celsa_lib.files import write_whole

BUILD = Path("build")
SOURCES = ("_config.yml", "_toc.yml", "book", "README.md", "CHANGELOG.md", "CITATION.cff")
DONE = ".executed.json"


def build_book(root: Path, profile: str = "laptop", say=lambda line: None) -> Path:
    """Run the notebooks of `root` that changed, build the HTML, return its first page.

    Raises NotebookError for a failing notebook or a build with warnings, ConfigError where `root`
    is not the book's folder. `say` gets a line of progress at a time.
    """
    work = root / BUILD / "book"
    notebooks = notebooks_of(root)
    copy_sources(root, work)
    for path in notebooks:
        seconds = run_if_changed(root, path, work, profile)
        say(
            f"{path.relative_to(root)}: " + ("unchanged" if seconds is None else f"{seconds:.0f} s")
        )
    return build_html(root, work)


def notebooks_of(root: Path) -> list[Path]:
    """Notebooks named in _toc.yml, in its order."""
    paths = [root / f"{name}.ipynb" for name in pages_of(root)]
    return [path for path in paths if path.exists()]


def pages_of(root: Path) -> list[str]:
    """Pages named in _toc.yml, in its order, without their suffix. Raises ConfigError."""
    toc = root / "_toc.yml"
    if not toc.exists():
        raise ConfigError(f"there is no {toc}; run this in the folder of the book's sources")
    import yaml  # comes with Jupyter Book, which only this module needs

    named = _files_in(yaml.safe_load(toc.read_text(encoding="utf-8")))
    return [name.removesuffix(".ipynb").removesuffix(".md") for name in named]


def _files_in(node) -> list[str]:
    """Every `root` and `file` entry of a table of contents, in order."""
    if isinstance(node, list):
        return [name for entry in node for name in _files_in(entry)]
    if not isinstance(node, dict):
        return []
    own = [value for key, value in node.items() if key in ("root", "file")]
    rest = (value for value in node.values() if isinstance(value, (list, dict)))
    return own + [name for value in rest for name in _files_in(value)]


def copy_sources(root: Path, work: Path) -> None:
    """Configuration, prose and what the first page shows, fresh, into `work`; notebooks stay."""
    work.mkdir(parents=True, exist_ok=True)
    for name in SOURCES:
        source, target = root / name, work / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        elif source.exists():
            shutil.copy2(source, target)
    write_front(root / "results", work / "book" / "front")
    configure(work)


def run_if_changed(root: Path, path: Path, work: Path, profile: str) -> float | None:
    """Seconds a notebook took, None if nothing that it depends on has changed since it last ran.

    Data counts: a page that said "Not run here" is made again when its data arrives.
    """
    target = work / path.relative_to(root)
    state = work / DONE
    done = json.loads(state.read_text()) if state.exists() else {}
    parameters = check_parameters(path, {"profile": profile}, only_known=True)
    name = str(path.relative_to(root))
    wanted = notebook_digest(root, path.relative_to(root), parameters, files_checksum)
    if done.get(name) == wanted and target.exists():
        return None
    started = perf_counter()
    run_notebook(path, target, parameters, cwd=root)
    done[name] = wanted
    write_whole(state, lambda file: file.write(json.dumps(done, indent=1).encode()))
    return perf_counter() - started


def jupyter_book(work: Path, out: Path, *options: str) -> subprocess.CompletedProcess:
    """Run this environment's Jupyter Book on the sources in `work`; it writes `out`/_build."""
    program = Path(sys.executable).parent / "jupyter-book"
    command = [str(program), "build", str(work), *options, "--path-output", str(out)]
    return subprocess.run(command, capture_output=True, text=True)


def build_html(root: Path, work: Path) -> Path:
    """jupyter-book, strict (every warning is an error), from nothing; then slides and 404.html.

    Raises NotebookError.
    """
    out = root / BUILD
    shutil.rmtree(out / "_build", ignore_errors=True)
    done = jupyter_book(work, out, "-W", "-n", "--keep-going")
    page = out / "_build" / "html" / "index.html"
    if done.returncode or not page.exists():
        lines = (done.stdout + done.stderr).splitlines()
        told = [line for line in lines if "WARNING" in line or "ERROR" in line] or lines[-15:]
        raise NotebookError("the book has not been built:\n" + "\n".join(told))
    write_slides(page.parent, pages_of(work))
    shutil.copy2(work / "book" / "front" / CARD, page.parent / "_images" / CARD)
    publish(page.parent, pages_of(work), work)
    return page
