"""Accidents of processes: killed, full, closed, slow, forked. The real commands survive them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.caching import FunctionCache
from scipy.sparse import csr_matrix, vstack

import celsa_lib as cl
from celsa_lib.cli.base import lacks_memory
from celsa_lib.errors import ProcessError
from celsa_lib.kernels import forks
from celsa_lib.kernels.compiled import compiled
from celsa_lib.report.faults import faults_table
from celsa_lib.results import Result
from celsa_lib.retrieval import top_n
from celsa_lib.segments.naming.answers import leaks
from celsa_lib.segments.segmentation import _harmless

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from fault_commands import prepare
from fault_list import FAULTS


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(f, id=f"{f.kind}, {f.name}", marks=[pytest.mark.slow] if f.slow else [])
        for f in FAULTS
    ],
)
def test_the_commands_survive(fault, tmp_path):
    prepare(tmp_path)
    fault.inject(tmp_path)


@pytest.mark.parametrize("cell", ["=1", " =1", "\t=1", "\u00a0=1", "＝1", " ＋1", "＠x", "-1"])
def test_a_cell_that_a_spreadsheet_would_run_is_quoted(cell):
    assert _harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["Alien", " Alien", "1=1", 7, np.float32(1.5)])
def test_other_cells_stay(cell):
    assert _harmless(cell) is cell


@pytest.mark.parametrize("between", ["", "\u200b", " ", "\n", "\u2060", "\u00ad"])
def test_a_key_is_found_whatever_stands_inside(between):
    key = "sk-abcdefgh12345678"
    assert leaks(f"no key {between.join(key)}!", key)
    assert not leaks("no key of ours", key)


@pytest.mark.parametrize(
    "compute",
    [
        lambda X: cl.EASE().fit(X),
        lambda X: cl.CompressedELSA(width=4, nnz=2).fit(X),
        lambda X: cl.ItemEmbeddings(X, np.arange(3)).recommend(vstack([X] * 11), n=1),
        lambda X: top_n(X.toarray(), 1),
    ],
    ids=["EASE", "Compressed ELSA", "embeddings", "top n"],
)
def test_a_process_that_lost_its_threads_does_not_compute(compute, monkeypatch):
    monkeypatch.setattr(forks, "_lost", ["omp"])
    with pytest.raises(ProcessError, match="spawn"):
        compute(csr_matrix(np.eye(3, dtype=np.float32)))


@pytest.mark.parametrize("at", ["__init__", "save_overload", "load_overload"])
def test_loops_run_where_their_code_cannot_be_kept(at, monkeypatch):
    """Nowhere, on a full disk, and where what is there is damaged."""

    def fail(*args):
        raise RuntimeError("no locator") if at == "__init__" else OSError(28, "full")

    monkeypatch.setattr(FunctionCache, at, fail)

    @compiled()
    def double(number):
        return 2 * number

    assert double(3) == 6


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate"), True),
        (RuntimeError("the stack is empty"), False),
    ],
)
def test_a_lack_of_memory_is_known(error, is_memory):
    assert lacks_memory(error) is is_memory


@pytest.mark.parametrize("inside", [True, False])
def test_in_an_import_ctrl_c_ends_the_process_whatever_swallows_it(inside):
    """A module that is being imported, and one that was, catch everything."""
    raising = "import signal\ntry: signal.raise_signal(2)\nexcept BaseException: pass\n"
    code = "import importlib.abc, importlib.util, signal, sys\n"
    code += "from celsa_lib.__main__ import stop\nsignal.signal(2, stop)\n"
    if inside:
        code += (
            "class Greedy(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):\n"
            "    def find_spec(self, name, path, target=None):\n"
            "        return importlib.util.spec_from_loader(name, self) if name == 'x' else None\n"
            f"    def get_source(self, name): return {raising!r}\n"
            "sys.meta_path.insert(0, Greedy())\nimport x\n"
        )
    done = subprocess.run(
        [sys.executable, "-c", code if inside else code + raising], capture_output=True, check=False
    )
    stopped = (130, b"celsa: stopped\n")
    assert (done.returncode, done.stderr) == (stopped if inside else (0, b""))


def test_the_table_sums_its_kinds():
    rows = [
        {"section": "faults", "fault": "kill", "injected": 4, "survived": 3},
        {"section": "faults", "fault": "fork", "injected": 1, "survived": 1},
    ]
    table = faults_table(Result({}, rows))
    assert table.to_numpy().tolist() == [["kill", 4, 3], ["fork", 1, 1], ["all", 5, 4]]
