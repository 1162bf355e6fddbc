"""Steps of training with the rows in one process, and shared by several: time, bytes, memory.

Usage: python benchmarks/shard_cost.py [--processes 1 2] [--items 10000 …] [--steps 20]
    [--out results/shard-cost.json]
Each process has one thread. Beside the time of a step stands that of the processor, of the busiest
process: what a machine that does other work does not change much. What is sent in a step is
computed from the batch by sparse products, and measured twice: as the processes hand it over, and
as Linux's loopback device has carried it.
The first line is the step of one process that does not divide rows. What is stored of other sizes
stays in the file, which is written after each.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from processes import peak_gib, summary
from scipy.sparse import csr_matrix
from workload import Case

from celsa_lib.experiments.manifest import new_run
from celsa_lib.report.scale_model import shards_table
from celsa_lib.results import BENCHMARK, Result, load_result, save_result
from celsa_lib.training import Stage, TrainingOptions
from celsa_lib.training.batches import user_batch
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.rows import Rows
from celsa_lib.training.shard import Shard
from celsa_lib.training.stage import StageTrainer

THREADS = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def carried() -> int:
    """Bytes that the loopback device has received."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "lo":
            return int(counts.split()[0])
    return 0


def computed(X: csr_matrix, rows: Rows, bounds: tuple[int, ...]) -> int:
    """Bytes of a step of all processes together, from the batch and the rows' columns."""
    n_users, n = X.shape[0], len(bounds) - 1
    n_items, nnz = rows.cols.shape
    starts = np.arange(n_items + 1) * nnz
    ones = np.ones(n_items * nnz, np.float32)
    A = csr_matrix((ones, rows.cols.numpy().ravel(), starts), (n_items, rows.width))
    own = [slice(a, b) for a, b in pairwise(bounds)]
    used = [np.unique(A[part].indices) for part in own]
    values = 0
    for p in range(n):
        latents = (X[:, own[p]] @ A[own[p]]).tocsc()
        values += sum(latents[:, used[q]].nnz for q in range(n) if q != p)
    lengths = 4 * n_users * n * (n - 1)
    sums = 2 * 16 * n_users * (n - 1)
    return 12 * values + lengths + sums + 8 * n * (n - 1)


def part_of(items: int, n_steps: int, backend: str, out: Path) -> None:
    """What one process does: steps on one batch; process 0 writes what they took."""
    torch.distributed.init_process_group("gloo")
    case = Case(items=items, width=items)
    X, rows = case.interactions(), case.rows()
    options = TrainingOptions(backend=backend, batch_size=case.users, progress=False)
    shard = Shard.of(X, options)
    bytes_computed = computed(X, rows, shard.bounds) if shard.leads else 0
    own = slice(shard.first, shard.last)
    rows = Rows(rows.values[own].clone(), rows.cols[own].clone(), rows.width)
    stage = Stage(case.nnz, 1)
    trainer = StageTrainer(rows, Nadam.start(rows.values), stage, options, X, shard=shard)
    batch = user_batch(X, np.arange(case.users), torch.device("cpu"))
    for _ in range(2):
        trainer.step(batch)
    torch.distributed.barrier()
    sent, device, worked, times = shard.group.sent, carried(), time.process_time(), []
    for _ in range(n_steps):
        start = time.perf_counter()
        trainer.step(batch)
        times.append(time.perf_counter() - start)
    own = [(time.process_time() - worked) / n_steps, (shard.group.sent - sent) / n_steps]
    torch.distributed.barrier()
    of_all = np.zeros((torch.distributed.get_world_size(), 3))
    of_all[torch.distributed.get_rank()] = *own, peak_gib()
    torch.distributed.all_reduce(torch.from_numpy(of_all))
    if torch.distributed.get_rank() == 0:
        cpu, bytes_sent, peaks = of_all.T
        found = {"loss": trainer.losses[0], **summary(times), "cpu": cpu.max()}
        found |= {"computed": bytes_computed, "sent": bytes_sent.sum()}
        found |= {"carried": (carried() - device) / n_steps, "peak_gib": peaks.round(3).tolist()}
        out.write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


def in_processes(n: int, backend: str, items: int, n_steps: int) -> dict:
    """What `n` processes take."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "found.json")
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += ["--nproc-per-node", str(n), __file__, "--part", backend, str(out)]
        command += ["--items", str(items), "--steps", str(n_steps)]
        subprocess.run(command, check=True, env=os.environ | THREADS)
        return json.loads(out.read_text())


def measured(items: int, processes: list[int], n_steps: int) -> list[dict]:
    """A row for the step of one process that does not divide rows (`processes` 0), and for each
    number of them; all make the same loss.
    """
    made = [(0, in_processes(1, "sparse", items, n_steps))]
    made += [(n, in_processes(n, "sharded", items, n_steps)) for n in processes]
    losses = [found["loss"] for _, found in made]
    if not np.allclose(losses, losses[0], rtol=1e-5):
        raise SystemExit(f"steps that should be alike have losses of {losses}")
    about = {"section": "processes", "items": items}
    return [about | {"processes": n, **found} for n, found in made]


def main() -> None:
    """Measure a size after the other, and store it; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--items", type=int, nargs="+", default=[10_000])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", default="results/shard-cost.json")
    parser.add_argument("--part", nargs=2, metavar=("BACKEND", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        backend, out = options.part
        part_of(options.items[0], options.steps, backend, Path(out))
        return
    path = Path(options.out)
    result = load_result(path) if path.exists() else Result({}, [])
    for items in options.items:
        start = time.perf_counter()
        rows = measured(items, options.processes, options.steps)
        kept = [row for row in result.rows if row["items"] != items]
        taken = result.manifest.get("seconds", 0) + round(time.perf_counter() - start)
        manifest = {"kind": BENCHMARK, "what": "steps of training with rows shared by processes"}
        runs = result.manifest.get("runs", {}) | new_run()
        result = Result(manifest | {"runs": runs, "seconds": taken}, kept + rows)
        save_result(result, path)
        print(shards_table(result).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
