"""The book: pages and notebooks that have run, built strictly into HTML."""

import shutil
import subprocess
import sys
from pathlib import Path

from celsa_lib.book.colab import lead_to_copies
from celsa_lib.book.front import LEDGER, write_front
from celsa_lib.book.publish import address, configure, repository
from celsa_lib.book.slides import write_slides
from celsa_lib.book.student import write_student_copy
from celsa_lib.errors import ConfigError, NotebookError

BUILD = Path("build")
SOURCES = ("_config.yml", "_toc.yml", "book", "README.md", "CHANGELOG.md", "CITATION.cff")


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
    write_front(root / "results", root / BUILD / LEDGER, work / "book" / "front")
    configure(work)


def jupyter_book(work: Path, out: Path, *options: str) -> subprocess.CompletedProcess:
    """Run this environment's Jupyter Book on the sources in `work`; it writes `out`/_build."""
    program = Path(sys.executable).parent / "jupyter-book"
    command = [str(program), "build", str(work), *options, "--path-output", str(out)]
    return subprocess.run(command, capture_output=True, text=True)


def build_html(root: Path) -> Path:
    """jupyter-book, strict (every warning is an error), from notebooks that have run in build/book.

    Slides, and copies for students and for Colab, come after. Raises NotebookError.
    """
    out, work = root / BUILD, root / BUILD / "book"
    copy_sources(root, work)
    shutil.rmtree(out / "_build", ignore_errors=True)
    done = jupyter_book(work, out, "-W", "-n", "--keep-going")
    page = out / "_build" / "html" / "index.html"
    if done.returncode or not page.exists():
        lines = (done.stdout + done.stderr).splitlines()
        shown = [line for line in lines if "WARNING" in line or "ERROR" in line] or lines[-15:]
        raise NotebookError("the book has not been built:\n" + "\n".join(shown))
    write_slides(page.parent, pages_of(work))
    write_student_copy(page.parent / "_sources" / "notebooks")
    if address(work):
        lead_to_copies(page.parent, pages_of(work), *repository(work))
    return page
