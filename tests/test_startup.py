"""The package loads at once: what is heavy waits until it is used."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

HEAVY = {"torch", "numba", "scipy", "numpy", "pandas", "sklearn", "matplotlib", "pyarrow"}


def loaded_by(code: str) -> set[str]:
    """Heavy packages in memory after `code` has run in a process of its own."""
    script = f"{code}\nimport sys\nprint(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return HEAVY & set(done.stdout.split())


def test_the_package_alone_is_light():
    assert loaded_by("import celsa_lib") == set()
    assert loaded_by("import celsa_lib.models.registry as r; r.by_label('ELSA')") == set()


def test_the_command_is_light_until_it_works():
    assert loaded_by("from celsa_lib.cli import app") == set()
    listed = "from typer.testing import CliRunner\nfrom celsa_lib.cli import app\n"
    assert loaded_by(listed + "CliRunner().invoke(app, ['data', 'list'])") == set()
    assert loaded_by("import celsa_lib as cl; cl.datasets(); cl.dataset_info('ml-1m')") == set()


def test_the_report_needs_no_torch():
    assert "torch" not in loaded_by("from celsa_lib import report")


WITHOUT = """
import sys

class Missing:
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)

sys.meta_path.insert(0, Missing)
"""
WITHOUT_TORCH = WITHOUT.format(names={"torch"})
SERVES = {"numpy", "scipy", "numba", "lazy-loader"}  # and of these alone
SERVING = """
import numpy as np
import celsa_lib as cl
from celsa_lib.retrieval import engines
from scipy.sparse import eye

rows = cl.ItemEmbeddings(eye(40, format="csr", dtype=np.float32))
rows.save("rows.npz"), rows.pack(path="rows.packed")
loaded, packed = cl.ItemEmbeddings.load("rows.npz"), cl.PackedEmbeddings.load("rows.packed")
X = eye(40, format="csr")[np.arange(1_100) % 40]
for found in (loaded, packed):
    assert found.recommend(X)[0].shape == (1_100, 10)
    assert found.recommend(X[:2], among=range(20))[0].shape == (2, 10)
    assert found.similar([0, 3])[0].shape == (2, 10)
    index = engines.open("exact", found)
    assert index.search(found.encode(X[:1]), 3, exclude=[1])[0][0] == 0
    assert len(index.similar(3, 5)[0]) == 5
    with engines.open("sqlite", found, path=f"kept-{type(found).__name__}") as index:
        assert index.search(found.encode(X[:1]), 3)[0][0] == 0
"""


def run_in(folder, code: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_serving_needs_no_torch(tmp_path):
    done = run_in(tmp_path, WITHOUT_TORCH + SERVING)
    assert done.returncode == 0, done.stderr
    assert "torch" not in loaded_by(f"import os\nos.chdir({str(tmp_path)!r})\n{SERVING}")
    said = 'models need torch: pip install "celsa[train]"'
    done = run_in(tmp_path, WITHOUT_TORCH + "import celsa_lib as cl\ncl.CompressedELSA()")
    assert said in done.stderr


def test_serving_needs_what_the_book_names_and_no_more(tmp_path):
    """Every other package that is declared is blocked, and those that declare no more."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.match(r"[a-z-]+", line).group() for line in declared}
    assert names > SERVES
    others = {name.replace("-", "_") for name in names - SERVES} | {"sklearn", "torch"}
    others -= {"filelock", "llvmlite"}  # of the table, and of numba
    done = run_in(tmp_path, WITHOUT.format(names=others) + SERVING)
    assert done.returncode == 0, done.stderr
    said = (ROOT / "book/serving.md").read_text()
    assert all(f"`{name}`" in said for name in (*SERVES, "filelock"))


def test_commands_that_serve_need_no_torch(tmp_path):
    import celsa_lib as cl

    table = "user_id,item_id,title\n" + "".join(
        f"{user},{item},Film {item}\n" for user in range(12) for item in range(user % 3, 12)
    )
    (tmp_path / "mine.csv").write_text(table)
    data = cl.load_interactions(tmp_path / "mine.csv")
    ids = data.item_ids
    from scipy.sparse import eye

    cl.ItemEmbeddings(eye(len(ids), format="csr"), ids).save(tmp_path / "rows.npz")
    code = WITHOUT_TORCH + "from celsa_lib.cli import app\napp()"
    first = str(ids[0])
    for command in (["recommend"], ["similar"], ["recommend", "-n", "2"]):
        done = run_in(tmp_path, code, *command, "rows.npz", "mine.csv", first)
        assert done.returncode == 0 and len(done.stdout.splitlines()) > 1, done.stderr


def test_names_are_there_when_they_are_used():
    assert "torch" in loaded_by("import celsa_lib as cl; cl.CompressedELSA(8, 2)")
    assert "torch" not in loaded_by("import celsa_lib as cl; cl.split_users")


def test_names_can_be_listed_and_a_wrong_one_is_an_error():
    import celsa_lib as cl

    assert set(cl.__all__) <= set(dir(cl))
    with pytest.raises(AttributeError, match="CompresedELSA"):
        _ = cl.CompresedELSA
