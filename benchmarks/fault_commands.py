"""What the faults share: a folder with data, and the real command `celsa` started in it."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fault_servers import LIMIT

COMMAND = [sys.executable, "-m", "celsa_lib"]
NOTEBOOK = """{"cells": [{"cell_type": "code", "execution_count": null, "id": "a", "metadata": {},
"outputs": [], "source": ["open('begun', 'w').close(); import time; time.sleep(60)"]}],
"metadata": {"kernelspec": {"display_name": "P", "language": "python", "name": "python3"}},
"nbformat": 4, "nbformat_minor": 5}"""


@dataclass(frozen=True)
class Fault:
    """`inject(folder)` raises AssertionError where celsa did not survive; kinds are counted."""

    kind: str
    name: str
    inject: Callable[[Path], None]
    slow: bool = False


def prepare(folder: Path) -> None:
    """Interactions, data.csv, and embeddings of them, rows.npz."""
    import numpy as np
    from scipy.sparse import csr_matrix

    import celsa_lib as cl

    rng = np.random.default_rng(0)
    rows = [f"{u},{i}" for u in range(120) for i in rng.choice(40, 12, replace=False)]
    (folder / "data.csv").write_text("user_id,item_id\n" + "\n".join(rows) + "\n")
    values = rng.random((40, 8)) * (rng.random((40, 8)) < 0.5) + np.eye(40, 8)
    values[:, 0] += 0.1
    cl.ItemEmbeddings(csr_matrix(values), np.arange(40)).save(folder / "rows.npz")


def start(folder: Path, *words: str, **options) -> subprocess.Popen:
    """The command in a process group of its own, which heeds Ctrl-C as in a shell."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    environment = os.environ | {"CELSA_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    environment |= {"NUMBA_NUM_THREADS": "1"} | streams.pop("env", {})

    more = streams.pop("preexec_fn", lambda: None)

    def begin():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        more()

    return subprocess.Popen(
        [*COMMAND, *words], cwd=folder, env=environment, text=True, process_group=0,
        stdin=subprocess.DEVNULL, preexec_fn=begin, **streams,
    )  # fmt: skip


def ended(process: subprocess.Popen) -> tuple[int, str]:
    """(exit code, what it said on stderr); a hang is a fault."""
    try:
        _, said = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise AssertionError("it hangs") from None
    return process.returncode, said or ""


def refused(folder: Path, *words: str, **options) -> str:
    """What the command says on stderr: its error, in a line, with exit code 1."""
    code, said = ended(start(folder, *words, **options))
    assert code == 1 and "Traceback" not in said, (code, said[-400:])
    return said


def only(folder: Path, *more: str) -> None:
    """Nothing lies in the folder but what was there, and `more`."""
    found = {path.name for path in folder.iterdir()} - {"data.csv", "rows.npz", *more}
    assert not found, found


def began(process: subprocess.Popen) -> None:
    """Wait until the command has begun its work: it trains."""
    said = ""
    while "loss" not in said:
        letter = process.stderr.read(1)
        assert letter, said
        said += letter


def small_files(limit: int):
    """For a child: no file may become larger, as on a disk that is full."""

    def apply() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return apply
