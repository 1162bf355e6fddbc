"""Faults of the system around a command: memory, disk, compiled code, files that are none, others
at the same work.
"""

import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

from fault_commands import NOTEBOOK, Fault, began, ended, only, refused, small_files, start
from fault_servers import LIMIT, bad_server, fetched_whole, fetching, succeeded

GIB = 2**30
TRAIN = ("train", "data.csv", "--nnz", "4")
PACK = ("pack", "rows.npz")
STUDY = ("study", "synthetic", "--profile", "smoke", "--method", "Popularity", "--out", "new.json")
COMPARE = ("compare", "many.csv", "--profile", "smoke", "--methods", "Popularity",
           "--out", "new.html")  # fmt: skip
LOAD = ("load", "rows.npz", "data.csv", "--into", "sqlite", "--path", "engine")
ASK = ("recommend", "rows.npz", "data.csv", "3", "-n", "2")
# As where celsa lies in a folder that nobody may write, and the home of the user is none.
NOWHERE = """
import sys
from celsa_lib.__main__ import main
from numba.core import caching
def refuse(self): raise OSError("read-only")
for locator in caching.FunctionCache._impl_class._locator_classes:
    locator.ensure_cache_path = refuse
sys.argv[0] = "celsa"
main()
"""


def many_users(folder: Path) -> None:
    """many.csv: as many users as a comparison needs."""
    rows = [f"{u},{(u * 7 + step * step) % 40}" for u in range(320) for step in range(9)]
    (folder / "many.csv").write_text("user_id,item_id\n" + "\n".join(rows) + "\n")


def out_of_memory(folder: Path) -> None:
    """More is asked for than the process may have."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (8 * GIB, 8 * GIB))

    words = ["train", "data.csv", "--width", "200000000", "--epochs", "1", "--out", "new.npz"]
    said = refused(folder, *words, preexec_fn=limited)
    assert "memory" in said, said
    only(folder)


def nowhere_to_compile(folder: Path) -> None:
    """Compiled code can be kept nowhere: it is compiled for this once."""
    done = subprocess.run(
        [sys.executable, "-c", NOWHERE, *ASK], cwd=folder, capture_output=True, text=True,
        timeout=LIMIT, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2, done.stderr[-400:]


def full_cache(folder: Path) -> None:
    """The disk with compiled code is full: it is compiled for this once."""
    settings = {"NUMBA_CACHE_DIR": str(folder / "compiled")}
    code, said = ended(start(folder, *ASK, preexec_fn=small_files(600), env=settings))
    assert code == 0, said[-400:]


def damaged_cache(folder: Path) -> None:
    """Files with compiled code are damaged: it is compiled again."""
    settings = {"NUMBA_CACHE_DIR": str(folder / "compiled")}
    for _ in range(2):
        code, said = ended(start(folder, *ASK, env=settings))
        assert code == 0, said[-400:]
        for path in (folder / "compiled").rglob("*.nb?"):
            path.write_bytes(path.read_bytes()[:-9])


def full_for(*words: str, more: tuple[str, ...] = ()):
    """A file may have a few hundred bytes: what does not fit is named, and nothing is left."""

    def inject(folder: Path) -> None:
        many_users(folder)
        said = refused(folder, *words, preexec_fn=small_files(600))
        assert "cannot write" in said, said
        only(folder, "many.csv", *more)

    return inject


def interrupted_sweep(folder: Path) -> None:
    notebook = json.loads(NOTEBOOK)
    tagged = {"id": "p", "metadata": {"tags": ["parameters"]}, "source": ["seed = 0"]}
    notebook["cells"].insert(0, notebook["cells"][0] | tagged)
    (folder / "nb.ipynb").write_text(json.dumps(notebook))
    (folder / "s.toml").write_text('notebook = "nb.ipynb"\nthreads = 1\n[grid]\nseed = [0]\n')
    process = start(folder, "sweep", "s.toml", "--out", "out")
    until = time.monotonic() + LIMIT
    while not list(folder.rglob("begun")):
        assert time.monotonic() < until, "it never began"
        assert process.poll() is None, process.communicate()[1][-400:]
        time.sleep(0.1)
    os.killpg(process.pid, 2)
    code, said = ended(process)
    assert code == 130 and "Traceback" not in said, (code, said[-400:])
    left = [path.name for path in (folder / "out").rglob("*.ipynb")]
    assert not left, left


def into_a_link(folder: Path) -> None:
    """A link stays one; what it leads to is replaced."""
    (folder / "real").mkdir()
    (folder / "new.npz").symlink_to("real/rows.npz")
    code, said = ended(start(folder, *PACK, "--out", "new.npz"))
    assert code == 0 and (folder / "new.npz").is_symlink(), said
    assert (folder / "real" / "rows.npz").stat().st_size > 100
    only(folder, "real", "new.npz")


def into_a_pipe(folder: Path) -> None:
    """A pipe gets the bytes, and stays one."""
    os.mkfifo(folder / "new.npz")
    got = []
    reader = threading.Thread(target=lambda: got.append((folder / "new.npz").read_bytes()))
    reader.daemon = True
    reader.start()
    code, said = ended(start(folder, *PACK, "--out", "new.npz"))
    reader.join(LIMIT)
    assert code == 0 and got and got[0][:2] == b"PK" and (folder / "new.npz").is_fifo(), said


def into_a_device(folder: Path) -> None:
    """A device gets the bytes, or says that it is full."""
    code, said = ended(start(folder, *PACK, "--out", "/dev/null"))
    assert code == 0 and Path("/dev/null").is_char_device(), said
    assert "cannot write /dev/full" in refused(folder, *PACK, "--out", "/dev/full")


def out_of(what: str, *words: str):
    """A pipe, a device or a link to itself is read by nobody, nor waited for."""

    def inject(folder: Path) -> None:
        path = folder / "odd.csv"
        if what == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to("/dev/zero" if what == "device" else "odd.csv")
        said = refused(folder, *words)
        assert "odd.csv" in said, said
        only(folder, "odd.csv")

    return inject


def both_at(*words: str, made: str, more: tuple[str, ...] = ()):
    """Two of a command on one file: one does it, the other does it too, or says that it may not."""

    def inject(folder: Path) -> None:
        many_users(folder)
        (folder / "nb.ipynb").write_text(NOTEBOOK.replace("time.sleep(60)", "time.sleep(1)"))
        both = [start(folder, *words) for _ in range(2)]
        ends = [ended(process) for process in both]
        assert 0 in [code for code, _ in ends], ends
        for code, said in ends:
            at_it = code == 1 and "another process is at work" in said
            assert (code == 0 or at_it) and "Traceback" not in said, (code, said[-400:])
        assert (folder / made).exists()
        only(folder, "many.csv", "nb.ipynb", made, *more)

    return inject


def two_trainings(folder: Path) -> None:
    """The second asks for the checkpoint of the first, and is told."""
    words = [*TRAIN, "--epochs", "100000", "--checkpoint", "run.npz"]
    first = start(folder, *words, "--out", "one.npz")
    try:
        began(first)
        said = refused(folder, *words, "--out", "two.npz")
        assert "another process is at work on run.npz" in said, said
    finally:
        first.kill()
        first.communicate()


def two_first_loads(folder: Path) -> None:
    """Two processes need one download: each has the data, and the cache has it once."""
    with bad_server("none") as server:
        both = [fetching(folder, server.url) for _ in range(2)]
        for process in both:
            succeeded(process)
        assert server.asked == 1, server.asked
    fetched_whole(folder)


SYSTEM_FAULTS = [
    Fault("out of memory", "train", out_of_memory, slow=True),
    Fault("compiled code", "nowhere to keep it", nowhere_to_compile, slow=True),
    Fault("compiled code", "full disk", full_cache, slow=True),
    Fault("compiled code", "damaged", damaged_cache, slow=True),
    Fault("full disk", "compare", full_for(*COMPARE, more=("new.users.npz",)),
          slow=True),
    Fault("full disk", "study", full_for(*STUDY, more=("new.users.npz",)), slow=True),
    Fault("full disk", "load", full_for(*LOAD, more=("engine",)), slow=True),
    Fault("Ctrl-C", "sweep", interrupted_sweep, slow=True),
    Fault("pipe, device or link", "output, link", into_a_link, slow=True),
    Fault("pipe, device or link", "output, pipe", into_a_pipe, slow=True),
    Fault("pipe, device or link", "output, device", into_a_device, slow=True),
    Fault("pipe, device or link", "data, pipe",
          out_of("pipe", "train", "odd.csv", "--out", "n.npz"), slow=True),
    Fault("pipe, device or link", "data, device",
          out_of("device", "train", "odd.csv", "--out", "n.npz"), slow=True),
    Fault("pipe, device or link", "data, link to itself",
          out_of("link", "train", "odd.csv", "--out", "n.npz"), slow=True),
    Fault("pipe, device or link", "items, pipe",
          out_of("pipe", *TRAIN, "--items", "odd.csv", "--out", "n.npz"), slow=True),
    Fault("pipe, device or link", "embeddings, pipe", out_of("pipe", "evaluate", "odd.csv",
                                                             "data.csv")),
    Fault("pipe, device or link", "embeddings, device",
          out_of("device", "evaluate", "odd.csv", "data.csv"), slow=True),
    Fault("two at once", "study", both_at(*STUDY, made="new.json", more=("new.users.npz",)),
          slow=True),
    Fault("two at once", "run", both_at("run", "nb.ipynb", "--output", "out.ipynb",
                                        made="out.ipynb", more=("begun",)), slow=True),
    Fault("two at once", "compare", both_at(*COMPARE, made="new.html",
                                            more=("new.json", "new.users.npz")), slow=True),
    Fault("two at once", "load", both_at(*LOAD, made="engine"), slow=True),
    Fault("two at once", "checkpoint", two_trainings, slow=True),
    Fault("two at once", "first load", two_first_loads, slow=True),
]  # fmt: skip
