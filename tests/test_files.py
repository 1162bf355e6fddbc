"""A file is written whole or not at all."""

import os
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

import celsa_lib as cl
from celsa_lib.book import notebook_path
from celsa_lib.data.download import cache_root
from celsa_lib.errors import DataError, StorageError
from celsa_lib.files import JUST_MADE, alone_with, check_writable, write_whole
from celsa_lib.results import BENCHMARK, Result, load_result, save_result, users_path
from celsa_lib.segments.naming.answers import AnswerCache
from celsa_lib.training.checkpoint import Checkpoint


def test_a_pipe_is_not_waited_for(tmp_path):
    """Nobody writes into it: whoever opened it would hang."""
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    with pytest.raises(StorageError, match="pipe.csv is a pipe or a device"):
        cl.ItemEmbeddings.load(pipe)
    frame = pd.DataFrame({"user_id": [1], "item_id": [1]})
    with pytest.raises(DataError, match="pipe.csv is a pipe or a device"):
        cl.load_interactions(frame, min_user_interactions=1, items=pipe)


def test_writes_and_makes_the_folder(tmp_path):
    path = write_whole(tmp_path / "new" / "a.bin", lambda file: file.write(b"abc"))
    assert path.read_bytes() == b"abc" and path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail(file):
        file.write(b"half of the new")
        raise error("stop")

    with pytest.raises(StorageError if error is OSError else error):
        write_whole(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write .*file/a.bin.*choose a folder"):
        write_whole(tmp_path / "file" / "a.bin", lambda file: None)


def test_a_link_is_followed_and_stays(tmp_path):
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "a.bin", tmp_path / "link.bin"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_whole(link, lambda file: file.write(b"new"))
    assert link.is_symlink() and target.read_bytes() == b"new"


def test_a_pipe_gets_the_bytes_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_bytes)
        write_whole(pipe, lambda file: file.write(b"new"))
        assert read.result(10) == b"new"
    assert pipe.is_fifo()


def test_a_device_stays_one():
    write_whole("/dev/null", lambda file: file.write(b"new"))
    assert Path("/dev/null").is_char_device()


def test_two_processes_are_not_alone_with_one_file(tmp_path):
    """The second is refused, or waits; after the first has died the file is free."""
    path = tmp_path / "a.json"
    code = (
        "import sys, time; from celsa_lib.files import alone_with\n"
        f"with alone_with({str(path)!r}): print('in', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "in\n"
    refused = pytest.raises(StorageError, match="another process is at work on .*a.json")
    with refused, alone_with(path):
        pass
    other.kill()
    other.wait()
    with alone_with(path):
        pass


LONG = 10 * JUST_MADE  # seconds


@pytest.mark.parametrize(
    ("name", "age", "stays"),
    [
        (".a.bin.abcdefgh.tmp", LONG, False),
        (".a.bin.abcdefgh.tmp", -60, True),  # its writer may not hold it yet
        (".a.bin.original", LONG, True),
        (".ab.bin.abcdefgh.tmp", LONG, True),
    ],
)
def test_what_a_killed_write_left_goes_with_the_next(tmp_path, name, age, stays):
    (tmp_path / name).write_bytes(b"half")
    at = time.time() - age
    os.utime(tmp_path / name, (at, at))
    write_whole(tmp_path / "a.bin", lambda file: file.write(b"whole"))
    assert (tmp_path / name).exists() == stays


def test_what_another_process_is_writing_stays(tmp_path):
    """Both write the same file; the second is done while the first is still at work."""

    def slowly(file):
        file.write(b"first")
        file.flush()
        at = time.time() - LONG
        os.utime(file.name, (at, at))
        write_whole(tmp_path / "a.bin", lambda other: other.write(b"second"))
        assert Path(file.name).exists()

    assert write_whole(tmp_path / "a.bin", slowly).read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_home_is_known_wherever_a_path_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CELSA_CACHE", "~/cache")
    monkeypatch.chdir(tmp_path)
    run = {"rows": 0, "date": "", "commit": None, "machine": {}, "versions": {}, "threads": 1}
    save_result(
        Result({"kind": BENCHMARK, "what": "", "runs": {"r": run}, "seconds": 0}), "~/r.json"
    )
    assert load_result("~/r.json").manifest["kind"] == BENCHMARK
    AnswerCache("~/answers.jsonl").add("key", "model", "Name")
    with alone_with("~/a.bin"):
        write_whole("~/a.bin", lambda file: file.write(b"abc"))
    found = users_path("~/r.json"), notebook_path("~/nb.ipynb"), Checkpoint("~/c.npz").path
    assert {path.parent for path in (*found, cache_root())} == {tmp_path}
    assert {path.name for path in tmp_path.iterdir()} == {"r.json", "answers.jsonl", "a.bin"}


def test_modes_are_those_of_the_umask_or_of_what_is_replaced(tmp_path):
    before = os.umask(0o077)
    try:
        write_whole(tmp_path / "new", lambda file: file.write(b"a"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    write_whole(tmp_path / "new", lambda file: file.write(b"b"))
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


@pytest.mark.parametrize("check", [check_writable, lambda path: write_whole(path, bytes)])
def test_links_in_a_circle_and_long_names_are_refused(tmp_path, check):
    (tmp_path / "loop").symlink_to("loop")
    for name in ("loop", "x" * 300):
        with pytest.raises(StorageError, match="cannot write"):
            check(tmp_path / name)
