"""What decides a notebook's outputs, in one hash: the one rule of staleness of book and sweeps."""

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable
from pathlib import Path

from celsa_lib.book.notebook import default_parameters

PACKAGE = Path(__file__).parents[1]
CODE = (".py", ".csv", ".jinja", ".js", ".css")  # all that a notebook can show
READS_RESULTS = ("results", "stored")  # a notebook that reads stored results has one of the words


def notebook_digest(
    root: Path, notebook: Path, parameters: dict, checksum: Callable[[str], str]
) -> str:
    """sha256 (hex) over notebook, parameters, versions, library, data and files that it reads.

    `checksum` gives that of the files of the dataset named by the parameter `dataset`. Raises
    StorageError, ConfigError for a notebook without readable parameters.
    """
    from celsa_lib.experiments.manifest import versions

    path = root / notebook
    values = default_parameters(path) | parameters
    data = values.get("dataset", "")
    settings = json.dumps(values, sort_keys=True), json.dumps(versions())
    files = (path, *stored_results(root, path), *_files_named(root, values))
    return fingerprint((*settings, checksum(data) if data else ""), files)


def stored_results(root: Path, path: Path) -> list[Path]:
    """Every file in results/ if the notebook at `path` reads any, in a fixed order.

    Not only those that it names: names may be made at run time, and values per user, recorded
    answers and claims lie beside the file that is named.
    """
    text = path.read_text(encoding="utf-8")
    if not any(word in text for word in READS_RESULTS):
        return []
    return sorted(file for file in (root / "results").rglob("*") if file.is_file())


def fingerprint(settings: Iterable[str], files: Iterable[Path]) -> str:
    """sha256 (hex) over Python's version, `settings`, the contents of `files` and the library."""
    found = hashlib.sha256("\0".join((platform.python_version(), *settings)).encode())
    for file in (*files, *code_files()):
        found.update(file.name.encode() + b"\0" + file.read_bytes())
    return found.hexdigest()


def code_files() -> list[Path]:
    """The library's files, in a fixed order."""
    return sorted(path for path in PACKAGE.rglob("*") if path.suffix in CODE)


def _files_named(root: Path, values: dict) -> list[Path]:
    """Files that parameters name, below `root`."""
    texts = [value for value in values.values() if isinstance(value, str)]
    return [root / text for text in texts if os.path.isfile(root / text)]
