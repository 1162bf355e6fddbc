"""What decides a notebook's outputs, by digest: its file, the library, stored results, versions."""

import ast
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from celsa_lib.book.notebook import code_of, default_parameters
from celsa_lib.versions import versions

PACKAGE = Path(__file__).parents[1]
CODE = (".py", ".csv", ".jinja", ".js", ".css", ".npz", ".gz")  # all that a notebook can show
JUDGES = re.compile(
    r"report\.claims\([^()]*\)(?:\.of\(\"(\w+)\"\))?"
)  # all claims, or a page's own


def decided_by(root: Path, notebook: Path, parameters: dict) -> dict[str, str]:
    """Digests of all that decides the outputs of `notebook` (relative to `root`), but for its data.

    Raises StorageError, ConfigError for a notebook without readable parameters.
    """
    path = root / notebook
    values = default_parameters(path) | parameters
    texts = [value for value in values.values() if isinstance(value, str)]
    named = [root / text for text in texts if os.path.isfile(root / text)]
    return {
        "notebook": digest([path]),
        "parameters": digest_of(values),
        "library": library_digest(),
        "versions": digest_of(versions()),
        "files": digest([*stored_results(root, path, values), *named]),
    }


def stored_results(root: Path, path: Path, values: dict) -> list[Path]:
    """Files in results/ that the notebook at `path` reads with these parameters.

    Those whose name stands in a text of its code, parameters filled in, or is a parameter's, and
    what judges its claims; their users' values; the recorded names of segments, which the library
    reads.
    """
    folder, code = root / "results", code_of(path)
    texts = {*texts_in(code, values), *(v for v in values.values() if isinstance(v, str))}
    names = {Path(text).stem for text in texts} | judging(code)
    results = sorted(folder.glob("*.json"))
    read = [file for file in results if any(fnmatchcase(file.stem, name) for name in names)]
    users = [file.with_suffix(".users.npz") for file in read]
    return [*read, *filter(Path.exists, users), *sorted(folder.glob("names/*"))]


def judging(code: str) -> set[str]:
    """Names of the results that judge the claims of a page: "*" where it shows all claims."""
    pages = set(JUDGES.findall(code))
    if "" in pages:
        return {"*"}
    if not pages:
        return set()
    from celsa_lib.report.claim_list import CLAIMS

    return {name for claim in CLAIMS if claim.notebook in pages for name in claim.stored}


def texts_in(code: str, values: dict) -> Iterator[str]:
    """Every text in Python code; in an f-string names of `values` are filled in, others are *."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(_filled_in(part, values) for part in node.values)


def _filled_in(part: ast.expr, values: dict) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    name = getattr(part.value, "id", None)
    return str(values.get(name, "*"))


@cache
def library_digest() -> str:
    """Of every file of the library that a page can show the work of."""
    return digest(code_files())


def code_files() -> list[Path]:
    """The library's files, in a fixed order."""
    return sorted(path for path in PACKAGE.rglob("*") if path.suffix in CODE)


def digest(files: Iterable[Path]) -> str:
    """Sixteen hex digits over names and contents."""
    found = hashlib.sha256()
    for file in files:
        found.update(file.name.encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:16]


def digest_of(values: dict) -> str:
    """Sixteen hex digits over plain values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def name_of(parameters: dict) -> str:
    """A file's name that tells parameters apart, readable as far as it goes."""
    text = "_".join(f"{name}={value}" for name, value in parameters.items())
    readable = "".join(c for c in text if c.isalnum() or c in "=.-_")
    return f"{readable[:80]}-{digest_of(parameters)[:8]}"
