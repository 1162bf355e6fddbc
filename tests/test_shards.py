"""Training by several processes that share the rows: as one does, stopped, and killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from shard_worker import CASES, CHECKPOINT, GOES_ON, STEPS, fitted, one_step, some_histories

import celsa_lib as cl
from celsa_lib.errors import ConfigError, ProcessError
from celsa_lib.training import Checkpoint, Stage, TrainingOptions, Validation, initial_embeddings
from celsa_lib.training.batches import user_batch
from celsa_lib.training.group import Group
from celsa_lib.training.loop import Run
from celsa_lib.training.regrowth import block_gradients
from celsa_lib.training.rows import Rows, hashed_rows
from celsa_lib.training.shard import Shard, balanced_bounds

HERE = Path(__file__).parent
ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def in_processes(n: int, folder: Path) -> Path:
    """`folder` with what `n` processes have found."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(n), str(HERE / "shard_worker.py"), str(folder)]
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What 1, 2 and 4 processes have found, by their number; 4 go on from where 2 stopped."""
    folders = {n: tmp_path_factory.mktemp(f"processes-{n}") for n in (2, 4)}
    in_processes(2, folders[2])
    shutil.copy(folders[2] / CHECKPOINT, folders[4])
    in_processes(4, folders[4])
    one = {name: one_step("sparse", *about) for name, about in STEPS.items()}
    one |= {case: fitted(case, "sparse") for case in CASES}
    loaded = {
        n: {path.stem: dict(np.load(path)) for path in folder.glob("*.npz") if path.stem != "run"}
        for n, folder in folders.items()
    }
    return {1: one, "folders": folders} | loaded


def assert_close(ours: dict, theirs: dict, tolerance: float) -> None:
    """Relative error of every array."""
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        error = np.linalg.norm(array - theirs[name]) / np.linalg.norm(theirs[name])
        assert error <= tolerance, name


def assert_same_training(ours: dict, theirs: dict, case: str) -> None:
    """Losses and rows; where entries are exchanged, rounding decides which of nearly equal ones
    grow, and losses alone are compared, from then on within 1 %.
    """
    if "regrowth" not in CASES[case]:
        assert_close(ours, theirs, 1e-3)
        assert np.allclose(ours["history"], theirs["history"], rtol=1e-5)
    assert np.allclose(ours["history"][0], theirs["history"][0], rtol=1e-5)
    assert np.allclose(ours["history"][:, 0], theirs["history"][:, 0], rtol=1e-2)
    assert (ours["rows"] != 0).sum() == (theirs["rows"] != 0).sum()


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 4])
@pytest.mark.parametrize("name", STEPS)
def test_a_step_of_several_processes_is_that_of_one(found, n, name):
    assert_close(found[n][name], found[1][name], 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 4])
@pytest.mark.parametrize("case", CASES)
def test_a_training_of_several_processes_is_that_of_one(found, n, case):
    assert_same_training(found[n][case], found[1][case], case)


@pytest.mark.slow
def test_a_checkpoint_goes_on_with_another_number_of_processes(found, tmp_path):
    """Two processes stopped after an epoch; four go on, and one does, with the same outcome."""
    assert_close(found[4]["gone on"], found[1][GOES_ON], 1e-3)
    path = Path(shutil.copy(found["folders"][2] / CHECKPOINT, tmp_path))
    assert_close(fitted(GOES_ON, "sharded", [Checkpoint(path)]), found[1][GOES_ON], 1e-3)
    assert not path.exists()


@pytest.mark.parametrize("name", STEPS)
def test_alone_a_step_is_that_of_the_sparse_loops(name):
    assert_close(one_step("sharded", *STEPS[name]), one_step("sparse", *STEPS[name]), 1e-5)


@pytest.mark.parametrize("case", ["regrown", "hashed", "from a start"])
def test_alone_a_training_is_that_of_the_sparse_loops(case):
    """Entries are exchanged, places hashed and rows gone on from whoever has the rows."""
    assert_same_training(fitted(case, "sharded"), fitted(case, "sparse"), case)


def test_a_gradient_for_other_entries_is_made_of_what_shards_have(monkeypatch):
    """Two shards one after the other, whose sums are those of a run before: as of all rows."""
    X, rows = some_histories(), hashed_rows(60, 24, 5, 0)
    batch = user_batch(X, np.arange(40), torch.device("cpu"), dropout=(3, 0.4))
    ((_, whole),) = block_gradients(rows, batch, 0.6)
    bounds, said = (0, 13, 60), [[], []]
    for _ in range(4):  # each run knows one more sum of the other's
        for n, (first, last) in enumerate(pairwise(bounds)):
            group, calls = Group(n, 2), iter(range(9))
            mine, others = [], said[1 - n]

            def total(array, mine=mine, others=others, calls=calls):
                mine.append(array.copy())
                call = next(calls)
                array += others[call] if call < len(others) else 0
                return array

            monkeypatch.setattr(group, "total", total)
            part = Rows(rows.values[first:last], rows.cols[first:last], 24)
            ((_, found),) = block_gradients(part, batch, 0.6, Shard(bounds, group))
            said[n] = mine
            error = np.linalg.norm(found - whole[first:last]) / np.linalg.norm(whole[first:last])
    assert len(said[0]) == 3 and error < 1e-5


@pytest.mark.parametrize("n", [1, 2, 7, 60])
def test_items_are_divided_by_work(n):
    bounds = balanced_bounds(some_histories(), n)
    assert bounds[0] == 0 and bounds[-1] == 60 and (np.diff(bounds) > 0).all()
    if n == 2:
        assert bounds[1] < 30, "the first items are popular"


def test_more_processes_than_items_is_an_error():
    with pytest.raises(ConfigError, match="61 processes have nothing to share in 60 items"):
        balanced_bounds(some_histories(), 61)


@pytest.mark.parametrize("bounds", [(0, 60), (0, 10, 60), (0, 1, 2, 60)])
def test_random_rows_are_drawn_in_parts(bounds):
    whole = initial_embeddings(60, 7, 3)
    parts = [initial_embeddings(60, 7, 3, *b) for b in pairwise(bounds)]
    assert np.array_equal(whole, np.concatenate(parts))


def test_what_looks_at_all_rows_has_no_place_among_several(monkeypatch):
    monkeypatch.setattr(Group, "here", classmethod(lambda cls: cls(0, 2)))
    options = TrainingOptions(backend="sharded", progress=False)
    with pytest.raises(ConfigError, match="Validation looks at the rows after each epoch"):
        Run(some_histories(), 8, [[Stage(8, 1)]], False, options, [Validation(lambda e: 0.0)])


def test_a_lost_process_is_named(monkeypatch):
    def lost(*arguments):
        raise RuntimeError("Connection closed by peer [127.0.0.1]:1\nand more")

    monkeypatch.setattr("torch.distributed.all_reduce", lost)
    with pytest.raises(ProcessError, match="another process of this training has ended.*by peer"):
        Group(0, 2).total(np.ones(3))


def test_shards_train_on_the_cpu():
    with pytest.raises(ConfigError, match='"sharded" runs on the CPU'):
        TrainingOptions(backend="sharded", device="cuda")
    with pytest.raises(ConfigError, match="autoencoder trains on all rows"):
        cl.SparseAutoencoderELSA(backend="sharded")


def write_table(path: Path) -> Path:
    """`some_histories` as a file."""
    pairs = zip(*some_histories().nonzero(), strict=True)
    path.write_text("user_id,item_id\n" + "".join(f"{user},{item}\n" for user, item in pairs))
    return path


def train_command(folder: Path, workers: int, *more: str) -> list[str]:
    words = ["train", write_table(folder / "mine.csv"), "--nnz", 4, "--n-test", 50]
    words += ["--out", folder / f"{workers}.npz", "--workers", workers, *more]
    return [sys.executable, "-m", "celsa_lib", *map(str, words)]


@pytest.mark.slow
def test_the_command_trains_in_one_process_or_two(tmp_path):
    environment = os.environ | ONE_THREAD
    for workers in (1, 2):
        command = train_command(tmp_path, workers, "--epochs", "2")
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("B per item") == 1
    one, two = (cl.ItemEmbeddings.load(tmp_path / f"{n}.npz") for n in (1, 2))
    assert abs(one.matrix - two.matrix).max() < 1e-3
    assert np.array_equal(one.item_ids, two.item_ids)


def test_an_error_of_all_processes_is_said_once(tmp_path):
    command = train_command(tmp_path, 2, "--test-from", "2020-01-01")
    environment = os.environ | ONE_THREAD
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 1
    assert done.stderr.count("nothing says when interactions took place") == 1
    assert "Traceback" not in done.stderr and "exitcode" not in done.stderr


@pytest.mark.slow
def test_a_killed_process_ends_the_others_and_the_checkpoint_goes_on(tmp_path):
    """Two at work, one is killed: the command ends with a line that says so; three go on."""
    more = ["--epochs", "60", "--checkpoint", str(tmp_path / CHECKPOINT)]
    command, environment = train_command(tmp_path, 2, *more), os.environ | ONE_THREAD
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as running:
        while not (tmp_path / CHECKPOINT).exists():
            assert running.poll() is None, running.stderr.read()
            time.sleep(0.05)
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 1 and "of 2 was ended by SIGKILL" in said
    assert "Traceback" not in said
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    command = train_command(tmp_path, 3, *more)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / CHECKPOINT).exists() and (tmp_path / "3.npz").exists()
