"""Memory and time to read the Netflix Prize: generate a file set of its size, then load it.

Usage: python benchmarks/netflix_memory.py [--rows 100480507]
Writes about 22 bytes per row to a temporary folder and removes it. The load runs in a process of
its own, so that the peak is the reader's alone.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from processes import peak_gib
from pyarrow import csv

FULL_ROWS = 100_480_507
MOVIES = 17_770
USERS = 480_189
LARGEST_USER_ID = 2_649_429


def generate(folder: Path, rows: int) -> None:
    """combined_data_1..4.txt: as many rows a movie as a power law gives, distinct users."""
    rng = np.random.default_rng(0)
    share = (np.arange(1, MOVIES + 1) + 20.0) ** -0.9
    counts = np.clip(rows * share / share.sum(), 1, USERS * 0.5).astype(int)
    counts += (rows - counts.sum()) // MOVIES
    counts[-1] += rows - counts.sum()
    rng.shuffle(counts)
    user_ids = rng.choice(LARGEST_USER_ID, USERS, replace=False).astype(np.int32) + 1
    for part in range(4):
        with open(folder / f"combined_data_{part + 1}.txt", "wb") as stream:
            for movie in range(part * MOVIES // 4, (part + 1) * MOVIES // 4):
                stream.write(b"%d:\n" % (movie + 1))
                write_ratings(stream, rng, user_ids, max(1, counts[movie]))


def write_ratings(stream, rng, user_ids: np.ndarray, count: int) -> None:
    """`count` lines "user,rating,date" of distinct users: a random run of the shuffled ids."""
    start = rng.integers(len(user_ids))
    users = np.take(user_ids, np.arange(start, start + count), mode="wrap")
    ratings = rng.choice(np.arange(1, 6, dtype=np.int8), count, p=[0.05, 0.1, 0.28, 0.34, 0.23])
    dates = pa.DictionaryArray.from_arrays(np.zeros(count, np.int8), ["2005-09-06"]).cast("string")
    table = pa.table({"user": users, "rating": ratings, "date": dates})
    csv.write_csv(table, stream, csv.WriteOptions(include_header=False, quoting_style="none"))


def load(root: Path, results) -> None:
    """Load and report (users, items, interactions, seconds, peak GiB)."""
    from celsa_lib.data import load_dataset

    start = time.perf_counter()
    data = load_dataset("netflix-prize", data_dir=root)
    seconds = time.perf_counter() - start
    peak = peak_gib()
    results.put((*data.X.shape, data.X.nnz, seconds, peak))


def main() -> None:
    """Generate, load, print one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=FULL_ROWS)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "netflix-prize")
        folder.mkdir()
        generate(folder, rows)
        size = sum(file.stat().st_size for file in folder.iterdir()) / 2**30
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        process = context.Process(target=load, args=(Path(root), results))
        process.start()
        users, items, kept, seconds, peak = results.get()
        process.join()
    print(
        f"{rows:,} rows, {size:.2f} GiB on disk: {kept:,} interactions ({users:,} users, ", end=""
    )
    print(f"{items:,} items) read in {seconds:.1f} s, peak memory {peak:.2f} GiB")


if __name__ == "__main__":
    main()
