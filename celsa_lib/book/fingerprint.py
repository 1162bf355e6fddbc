"""What decides a notebook's outputs, in one hash."""

import hashlib
import platform
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
CODE = (".py", ".csv", ".jinja", ".js", ".css")  # all that a notebook can show


def fingerprint(settings: Iterable[str], files: Iterable[Path]) -> str:
    """sha256 (hex) over Python's version, `settings`, the contents of `files` and the library."""
    found = hashlib.sha256("\0".join((platform.python_version(), *settings)).encode())
    for file in (*files, *code_files()):
        found.update(file.name.encode() + b"\0" + file.read_bytes())
    return found.hexdigest()


def code_files() -> list[Path]:
    """The library's files, in a fixed order."""
    return sorted(path for path in PACKAGE.rglob("*") if path.suffix in CODE)
