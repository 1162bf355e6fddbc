"""Nothing that is read is executed, and what runs elsewhere is named by its hash."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted([*ROOT.glob("celsa_lib/**/*.py"), *ROOT.glob("benchmarks/*.py")])
EXECUTING = {"eval", "exec", "compile", "__import__"}  # builtins
OF_MODULES = {
    ("os", "system"), ("os", "popen"), ("yaml", "load"), ("yaml", "unsafe_load"),
    ("torch", "load"), ("joblib", "load"), ("pd", "read_pickle"), ("marshal", "loads"),
}  # fmt: skip
UNSAFE_IMPORTS = {"pickle", "cloudpickle", "dill", "shelve", "marshal"}


def risks_of(tree: ast.AST) -> list[str]:
    """What in a module could execute what was read."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            found += sorted(names & UNSAFE_IMPORTS)
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id in EXECUTING:
            found.append(called.id)
        name = ast.unparse(called)
        if tuple(name.split(".")) in OF_MODULES:
            found.append(name)
        given = {word.arg: word.value for word in node.keywords}
        for risky in ("shell", "allow_pickle"):
            value = given.get(risky)
            if value is not None and not (isinstance(value, ast.Constant) and not value.value):
                found.append(risky)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_executes_what_it_reads(path):
    assert not risks_of(ast.parse(path.read_text()))


@pytest.mark.parametrize(
    "line",
    ["eval(x)", "import pickle", "from pickle import loads", "os.system(x)", "yaml.load(x)",
     "subprocess.run(x, shell=True)", "np.load(x, allow_pickle=flag)", "torch.load(x)"],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(line):
    assert risks_of(ast.parse(line))


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/workflows/*.yml")), ids=lambda p: p.name)
def test_actions_are_pinned_by_hash_and_may_do_little(path):
    text = path.read_text()
    used = re.findall(r"uses: *(\S+)", text)
    assert used and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", one) for one in used)
    assert re.search(r"^permissions:", text, re.MULTILINE) and "write-all" not in text
