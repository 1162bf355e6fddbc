"""Time of `celsa compare` on 3,000 users × 800 items, from the file to the page.

Usage: python benchmarks/compare_time.py [--thorough]
Prints seconds, CPU seconds, models, trials and the first sentence of the answer, as JSON. Threads
are those of the environment (OMP_NUM_THREADS, NUMBA_NUM_THREADS); measure on an idle machine.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory
from time import perf_counter

import pandas as pd

from celsa_lib.data import make_synthetic
from celsa_lib.results import load_result

SIZES = {"n_users": 3_000, "n_items": 800, "n_segments": 20, "mean_interactions": 143.4}


def compared(folder: Path, options: list[str]) -> dict:
    """One run in a process of its own, on the synthetic data written as CSV."""
    X = make_synthetic(**SIZES).X.tocoo()
    pd.DataFrame({"user_id": X.row, "item_id": X.col}).to_csv(folder / "mine.csv", index=False)
    started, before = perf_counter(), getrusage(RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "celsa_lib.cli", "compare", "mine.csv", *options]
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    after = getrusage(RUSAGE_CHILDREN)
    result = load_result(folder / "mine-report.json")
    return {
        "interactions": X.nnz,
        "seconds": round(perf_counter() - started, 1),
        "cpu seconds": round(
            after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, 1
        ),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "models": len(result.rows),
        "trials": len(result.trials),
        "answer": done.stdout.split(". ")[0],
    }


def main() -> None:
    """Measure once, print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--thorough", action="store_true", help="as `celsa compare --thorough`")
    options = ["--thorough"] if parser.parse_args().thorough else []
    with TemporaryDirectory() as folder:
        print(json.dumps(compared(Path(folder), options), ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
