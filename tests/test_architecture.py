"""Imports go one way, the report needs no torch, and the public names are there."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

import celsa_lib as cl

PACKAGE = Path(cl.__file__).parent
LAYERS = [
    "errors",
    "files",
    "arrays",
    "versions",
    "extras",
    "typed",
    "rows",
    "kernels",
    "data",
    "split",
    "retrieval",
    "parts",
    "embeddings",
    "shipped",
    "titles",
    "conditions",
    "training",
    "models",
    "evaluation",
    "segments",
    "results",
    "experiments",
    "report",
    "demo",
    "inpage",
    "book",
    "workflow",
    "cli",
]
PUBLIC = """datasets load_dataset load_interactions split_users split_by_time TimeSplit
holdout_folds evaluate CelsaError CompressedELSA ELSA EASE PrunedEASE SparseAutoencoderELSA
Popularity ItemEmbeddings segment_items Segmentation""".split()


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Layers of celsa_lib that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("celsa_lib"):
            parts = node.module.split(".")
            names |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {a.name.split(".")[1] for a in node.names if a.name.startswith("celsa_lib.")}
    return names


MODULES = [p for p in sorted(PACKAGE.rglob("*.py")) if p.parent != PACKAGE or p.stem[0] != "_"]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_only_from_its_left(path):
    own = LAYERS.index(layer_of(path))
    for name in imports_of(path) & set(LAYERS):
        assert LAYERS.index(name) <= own, f"{path} imports {name}, which is to its right"


def test_every_module_has_a_layer():
    assert {layer_of(path) for path in MODULES} <= set(LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_public_definition_says_what_it_is(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path} has no docstring"
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name[0] != "_":
            assert ast.get_docstring(node), f"{path}: {node.name} has no docstring"


def names_defined(path: Path) -> set[str]:
    """Functions, classes and constants of a module."""
    body = ast.parse(path.read_text()).body
    defined = {node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in body if isinstance(node, ast.AnnAssign)]
    parts = (part for target in targets for part in ast.walk(target))
    return defined | {part.id for part in parts if isinstance(part, ast.Name)}


def test_a_name_has_one_meaning():
    """Commands are called as what they do; a step is written for the CPU and for the GPU."""
    alike = {"FORMAT", "VERSION", "log", "encode", "decode"}
    places = defaultdict(list)
    for path in (path for path in MODULES if layer_of(path) != "cli"):
        for name in (n for n in names_defined(path) - alike if n[0] != "_"):
            places[name].append(str(path.relative_to(PACKAGE)))
    assert not {name: found for name, found in places.items() if len(found) > 1}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names(name):
    assert name in cl.__all__ and getattr(cl, name).__doc__


def test_import_prints_nothing():
    command = [sys.executable, "-W", "error", "-c", "import celsa_lib"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""


def test_the_page_on_architecture_lists_every_layer_in_order():
    page = (Path(__file__).parents[1] / "book/architecture.md").read_text()
    table = page.split("## Layers")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.M) == LAYERS


def test_the_files_on_the_way_of_a_number_hold_their_functions():
    root = Path(__file__).parents[1]
    way = (root / "book/architecture.md").read_text().split("## One number")[1].split("\n## ")[0]
    steps = re.findall(r"`celsa_lib\.([\w.]+)` \| `(celsa_lib/[\w/]+\.py)`", way)
    assert len(steps) == way.count("celsa_lib/") > 10
    for name, file in steps:
        last = name.split(".")[-1]
        assert re.search(rf"^\s*(def|class) {last}\b", (root / file).read_text(), re.M), name
