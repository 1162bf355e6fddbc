"""Faults that happen to processes, each on the real command `celsa` in a folder of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from fault_commands import (
    NOTEBOOK,
    Fault,
    began,
    ended,
    only,
    refused,
    small_files,
    start,
)
from fault_servers import LIMIT, asked_badly, bad_proxy, busy_download, killed_download
from fault_system import SYSTEM_FAULTS

from celsa_lib.files import JUST_MADE

FOR_EVER = ["train", "data.csv", "--nnz", "4", "--epochs", "100000", "--out", "new.npz"]


def stopped_while_training(which: signal.Signals, code: int):
    def inject(folder: Path) -> None:
        process = start(folder, *FOR_EVER)
        began(process)
        os.killpg(process.pid, which)
        found, said = ended(process)
        assert found == code and "Traceback" not in said, (found, said[-400:])
        only(folder)

    return inject


def stopped_while_starting(module: str):
    """Ctrl-C while Python imports what the command needs: it is heeded from the beginning on."""

    def inject(folder: Path) -> None:
        process = start(folder, *FOR_EVER, env={"PYTHONPROFILEIMPORTTIME": "1"})
        line = "until"
        while line.split()[-1:] != [module]:
            line = process.stderr.readline()
            assert line, f"{module} was never imported"
        os.killpg(process.pid, signal.SIGINT)
        found, said = ended(process)
        assert found == 130 and "Traceback" not in said, (found, said[-400:])
        only(folder)

    return inject


def killed_in_save(folder: Path) -> None:
    """A write that was killed leaves a hidden file, which goes with the next that succeeds."""
    code = (
        "import os, signal; from celsa_lib.files import write_whole\n"
        "def half(file): file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_whole('new.npz', half)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=False)
    (left,) = folder.glob(".new.npz.*")
    old = time.time() - 2 * JUST_MADE
    os.utime(left, (old, old))
    code, said = ended(start(folder, "pack", "rows.npz", "--out", "new.npz"))
    assert code == 0, said
    only(folder, "new.npz")


def interrupted_notebook(folder: Path) -> None:
    (folder / "nb.ipynb").write_text(NOTEBOOK)
    process = start(folder, "run", "nb.ipynb", "--output", "out.ipynb")
    until = time.monotonic() + LIMIT
    while not (folder / "begun").exists():
        assert time.monotonic() < until and process.poll() is None, "the notebook never began"
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    code, said = ended(process)
    assert code == 130 and "Traceback" not in said, (code, said[-400:])
    only(folder, "nb.ipynb", "begun")


def full_disk(*words: str, more: tuple[str, ...] = ()):
    def inject(folder: Path) -> None:
        if "nb.ipynb" in words:
            (folder / "nb.ipynb").write_text(
                NOTEBOOK.replace("time.sleep(60)", "print('x' * 9999)")
            )
        said = refused(folder, *words, preexec_fn=small_files(600))
        assert "cannot write" in said, said
        only(folder, *more)

    return inject


def unwritable(*words: str):
    """--out in a place where no folder can be made, found out before the work."""

    def inject(folder: Path) -> None:
        said = refused(folder, *words, "--out", "data.csv/new" + ENDINGS.get(words[0], ".npz"))
        assert "cannot write" in said and "loss" not in said, said
        only(folder)

    return inject


ENDINGS = {"compare": ".html", "segments": ".csv", "study": ".json"}


def full_stream(stream: str):
    def inject(folder: Path) -> None:
        words = ["data", "list"] if stream == "stdout" else ["data", "info", "no-such"]
        with open("/dev/full", "w") as full:
            refused(folder, *words, **{stream: full})

    return inject


def closed_stdout(folder: Path) -> None:
    """A list that nobody would see is not made."""
    said = refused(folder, "data", "list", preexec_fn=lambda: os.close(1))
    assert "stdout is closed" in said, said


def closed_stderr(folder: Path) -> None:
    """The work is done; what is said on the way goes nowhere, into no file that is open either."""
    words = ["pack", "rows.npz", "--out", "new.npz"]
    code, _ = ended(start(folder, *words, preexec_fn=lambda: os.close(2)))
    assert code == 0, code
    code, said = ended(start(folder, "evaluate", "new.npz", "data.csv"))
    assert code == 0, said
    only(folder, "new.npz")


def reader_that_leaves(folder: Path) -> None:
    process = start(folder, "data", "list")
    process.stdout.close()
    process.stdout = None
    _, said = ended(process)
    assert "Traceback" not in said and "BrokenPipe" not in said, said


def encoding(name: str):
    def inject(folder: Path) -> None:
        words = ["segments", "rows.npz", "data.csv"]
        code, said = ended(start(folder, *words, env={"PYTHONIOENCODING": name}))
        assert code == 0, said

    return inject


def two_at_once(folder: Path) -> None:
    """Both write one file: each succeeds, and the file is one of theirs, whole."""
    words = ["pack", "rows.npz", "--out", "new.npz"]
    both = [start(folder, *words) for _ in range(2)]
    assert [ended(process)[0] for process in both] == [0, 0]
    code, said = ended(start(folder, "evaluate", "new.npz", "data.csv"))
    assert code == 0, said
    only(folder, "new.npz")


FORKED = """
import multiprocessing, numpy as np, celsa_lib as cl
from scipy.sparse import csr_matrix
rng = np.random.default_rng(0)
kept = rng.random((60, 60)) * (rng.random((60, 60)) < 0.1) + np.eye(60)
rows, X = cl.ItemEmbeddings(csr_matrix(kept)), csr_matrix(rng.random((40, 60)) < 0.1)
rows.recommend(X, n=2)
def recommend(_):
    try:
        return rows.recommend(X, n=2)[0].tolist()
    except cl.CelsaError as error:
        return str(error)
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.map_async(recommend, [0]).get(100))
"""


def forked(folder: Path) -> None:
    """A child of a process that has recommended says what to do; it does not wait for ever."""
    more = {"OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    done = subprocess.run(
        command, env=os.environ | more, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert 'get_context("spawn")' in done.stdout, done.stderr[-400:]


TRAIN = ("train", "data.csv", "--nnz", "4", "--epochs", "1")
EXPORT = ("export", "rows.npz", "data.csv", "--format", "jsonl")
FAULTS = [
    Fault("kill", "train, kill -9", stopped_while_training(signal.SIGKILL, -9), slow=True),
    Fault("kill", "train, SIGTERM", stopped_while_training(signal.SIGTERM, -15), slow=True),
    Fault("kill", "save, kill -9", killed_in_save),
    Fault("kill", "fetch, kill -9", killed_download, slow=True),
    Fault("Ctrl-C", "at once", stopped_while_starting("typer.core")),
    Fault("Ctrl-C", "while numpy is imported", stopped_while_starting("numpy._core"), slow=True),
    Fault("Ctrl-C", "while torch is imported", stopped_while_starting("torch._C"), slow=True),
    Fault("Ctrl-C", "train", stopped_while_training(signal.SIGINT, 130), slow=True),
    Fault("Ctrl-C", "run", interrupted_notebook, slow=True),
    Fault("two at once", "pack", two_at_once, slow=True),
    Fault("full disk", "pack", full_disk("pack", "rows.npz", "--out", "new.npz")),
    Fault("full disk", "export", full_disk(*EXPORT, "--out", "new.jsonl"), slow=True),
    Fault("full disk", "train", full_disk(*TRAIN, "--out", "new.npz"), slow=True),
    Fault("full disk", "run", full_disk("run", "nb.ipynb", "--output", "o.ipynb",
                                        more=("nb.ipynb",)), slow=True),
    Fault("not writable", "train", unwritable(*TRAIN)),
    Fault("not writable", "export", unwritable(*EXPORT), slow=True),
    Fault("not writable", "pack", unwritable("pack", "rows.npz"), slow=True),
    Fault("not writable", "compare", unwritable("compare", "data.csv"), slow=True),
    Fault("not writable", "segments", unwritable("segments", "rows.npz", "data.csv"), slow=True),
    Fault("not writable", "study", unwritable("study", "synthetic", "--profile", "smoke"),
          slow=True),
    Fault("closed or full stream", "stdout full", full_stream("stdout")),
    Fault("closed or full stream", "stderr full", full_stream("stderr"), slow=True),
    Fault("closed or full stream", "stdout closed", closed_stdout),
    Fault("closed or full stream", "stderr closed", closed_stderr, slow=True),
    Fault("closed or full stream", "reader gone", reader_that_leaves, slow=True),
    Fault("terminal", "cp437", encoding("cp437"), slow=True),
    Fault("terminal", "latin-1", encoding("latin-1"), slow=True),
    Fault("terminal", "ASCII", encoding("ascii"), slow=True),
    Fault("bad server", "a byte now and then", asked_badly("slow", 0)),
    Fault("bad server", "a head without end", asked_badly("slow head", 0), slow=True),
    Fault("bad server", "no end", asked_badly("endless", 0), slow=True),
    Fault("bad server", "Retry-After", asked_badly("later", 1), slow=True),
    Fault("bad server", "packed without end", asked_badly("packed", 0), slow=True),
    Fault("bad server", "busy, at a download", busy_download, slow=True),
    Fault("bad server", "no proxy", bad_proxy, slow=True),
    Fault("fork", "recommend", forked, slow=True),
    *SYSTEM_FAULTS,
]  # fmt: skip
