"""Memory and time to read more interactions than one would hold as a table, from Parquet.

Usage: python benchmarks/stream_memory.py [--rows 100000000] [--folder /a/disk/with/space]
    [--out results/stream-memory.json]
Writes about 8 bytes per row to a temporary folder and removes it, hive partitions by month. The
load runs in a process of its own, so that the peak is the reader's alone.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from processes import peak_gib

from celsa_lib.experiments.manifest import new_run
from celsa_lib.results import BENCHMARK, Result, save_result

ROWS, USERS, ITEMS, PARTITIONS = 100_000_000, 1_000_000, 100_000, 12
ROWS_AT_ONCE = 2**20


def generate(folder: Path, rows: int) -> None:
    """Users alike; items by a power law, as ids of 12 digits that are in no order."""
    rng = np.random.default_rng(0)
    users = rng.choice(2**40, USERS, replace=False)
    items = rng.choice(2**40, ITEMS, replace=False)
    shares = np.cumsum((np.arange(1, ITEMS + 1) + 20.0) ** -0.8)
    for month in range(1, PARTITIONS + 1):
        part = folder / f"month={month}"
        part.mkdir()
        left = rows // PARTITIONS + (month <= rows % PARTITIONS)
        schema = pa.schema({"user_id": pa.int64(), "item_id": pa.int64()})
        with parquet.ParquetWriter(part / "part-0.parquet", schema) as file:
            while left:
                n = min(left, ROWS_AT_ONCE)
                place = np.searchsorted(shares, rng.random(n) * shares[-1])
                ids = users[rng.integers(0, USERS, n)], items[place]
                file.write_table(pa.table(dict(zip(schema.names, ids, strict=True))))
                left -= n


def load(folder: Path, store: Path, results) -> None:
    """Load, open again, cut batches; report (shape, interactions, seconds of each, peak GiB)."""
    import torch

    from celsa_lib.data import load_interactions
    from celsa_lib.training.batches import shuffled_batches

    times = [time.perf_counter()]
    data = load_interactions(folder, store=store)
    times.append(time.perf_counter())
    batches = shuffled_batches(data.X, 1024, np.random.default_rng(0), torch.device("cpu"))
    seen = sum(len(next(batches).items) for _ in range(100))
    times.append(time.perf_counter())
    seconds = np.diff(times).tolist()
    results.put((*data.X.shape, data.X.nnz, seen, seconds, peak_gib()))


def main() -> None:
    """Generate, load, store a row, print two lines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--folder", help="Where to write; default: the system's temporary folder.")
    parser.add_argument("--out", default="results/stream-memory.json")
    options = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=options.folder) as root:
        folder = Path(root, "interactions")
        folder.mkdir()
        generate(folder, options.rows)
        size = sum(file.stat().st_size for file in folder.rglob("*.parquet")) / 2**30
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        process = context.Process(target=load, args=(folder, Path(root, "store"), results))
        process.start()
        users, items, kept, seen, (reading, cutting), peak = results.get()
        process.join()
    row = {
        "section": "stream", "rows": options.rows, "parquet_gib": round(size, 3), "users": users,
        "items": items, "interactions": kept, "reading": round(reading, 1),
        "cutting": round(cutting, 2), "peak_gib": round(peak, 3),
    }  # fmt: skip
    manifest = {"kind": BENCHMARK, "what": "interactions read from Parquet in a stream"}
    manifest |= {"runs": new_run("pyarrow"), "seconds": round(time.perf_counter() - start)}
    save_result(Result(manifest, [row]), options.out)
    print(f"{options.rows:,} rows, {size:.2f} GiB of Parquet: {kept:,} interactions ", end="")
    print(f"({users:,} users, {items:,} items) read in {reading:.1f} s")
    print(f"100 batches of {seen:,} interactions in {cutting:.1f} s; peak memory {peak:.2f} GiB")


if __name__ == "__main__":
    main()
