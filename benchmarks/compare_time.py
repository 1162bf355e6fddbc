"""Time of `celsa compare` on 3,000 users × 800 items, from the file to the page.

Usage: python benchmarks/compare_time.py [--thorough] [--out results/compare-time.json]
Threads are those of the environment (OMP_NUM_THREADS, NUMBA_NUM_THREADS); measure on an idle
machine.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory
from time import perf_counter

import pandas as pd

from celsa_lib.data import make_synthetic
from celsa_lib.experiments.manifest import new_run
from celsa_lib.report.faults import compare_time_table
from celsa_lib.results import BENCHMARK, Result, load_result, save_result

SIZES = {"n_users": 3_000, "n_items": 800, "n_segments": 20, "mean_interactions": 143.4}


def compared(folder: Path, options: list[str], sizes: dict = SIZES) -> dict:
    """One run in a process of its own, on the synthetic data written as CSV."""
    X = make_synthetic(**sizes).X.tocoo()
    pd.DataFrame({"user_id": X.row, "item_id": X.col}).to_csv(folder / "mine.csv", index=False)
    started, before = perf_counter(), getrusage(RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "celsa_lib.cli", "compare", "mine.csv", *options]
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    seconds, after = perf_counter() - started, getrusage(RUSAGE_CHILDREN)
    result = load_result(folder / "mine-report.json")
    return {
        "section": "compare time",
        "command": " ".join(["celsa compare mine.csv", *options]),
        "users": X.shape[0],
        "items": X.shape[1],
        "interactions": X.nnz,
        "seconds": round(seconds, 1),
        "cpu seconds": round(
            after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, 1
        ),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "models": len(result.rows),
        "trials": len(result.trials),
        "answer": done.stdout.split(". ")[0],
    }


def main() -> None:
    """Measure once, write one file, print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--thorough", action="store_true", help="as `celsa compare --thorough`")
    parser.add_argument("--out", default="results/compare-time.json")
    options = parser.parse_args()
    start = perf_counter()
    with TemporaryDirectory() as folder:
        row = compared(Path(folder), ["--thorough"] if options.thorough else [])
    manifest = {
        "kind": BENCHMARK,
        "what": "time of one comparison from the command line, synthetic interactions",
        "runs": new_run(),
        "seconds": round(perf_counter() - start),
    }
    print(save_result(Result(manifest, [row]), options.out))
    print(compare_time_table(Result({}, [row])).to_string(index=False), row["answer"], sep="\n")


if __name__ == "__main__":
    main()
