"""Steps of training with the rows in one process, and shared by several: time, bytes, memory.

Usage: python benchmarks/shard_cost.py [--processes 1 2] [--items 10000] [--steps 20]
Each process has one thread. Beside the time of a step stands that of the processor, of the busiest
process: what a machine that does other work does not change much. What is sent in a step is
computed from the batch by sparse products, and measured twice: as the processes hand it over, and
as Linux's loopback device has carried it.
The first line is the step of one process that does not divide rows.
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


def in_processes(n: int, backend: str, options: argparse.Namespace) -> dict:
    """What `n` processes take."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "found.json")
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += ["--nproc-per-node", str(n), __file__, "--part", backend, str(out)]
        command += ["--items", str(options.items), "--steps", str(options.steps)]
        subprocess.run(command, check=True, env=os.environ | THREADS)
        return json.loads(out.read_text())


def main() -> None:
    """Measure, and print a line for each number of processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--part", nargs=2, metavar=("BACKEND", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        backend, out = options.part
        part_of(options.items, options.steps, backend, Path(out))
        return
    one = in_processes(1, "sparse", options)
    print(
        f"rows not divided: {1e3 * one['seconds']:.1f} ms a step, of the processor "
        f"{1e3 * one['cpu']:.1f}; {one['peak_gib'][0]} GiB"
    )
    for n in options.processes:
        found = in_processes(n, "sharded", options)
        faster, less = (one[kind] / found[kind] for kind in ("seconds", "cpu"))
        print(
            f"{n} processes: {1e3 * found['seconds']:.1f} ms a step, {faster:.2f}× as fast; of the "
            f"processor {1e3 * found['cpu']:.1f}, {less:.2f}× as little; loss "
            f"{found['loss']:.6f} ({one['loss']:.6f}); MB a step {found['computed'] / 1e6:.3f} "
            f"computed, {found['sent'] / 1e6:.3f} sent, {found['carried'] / 1e6:.3f} carried; "
            f"GiB {found['peak_gib']}"
        )


if __name__ == "__main__":
    main()
