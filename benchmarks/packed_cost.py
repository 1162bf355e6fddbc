"""Cost of scoring packed rows from their file, beside the same rows as CSR in memory.

Usage: python benchmarks/packed_cost.py [--out results/packed-cost.json] [--rounds 9]
2,500 users × 10,000 items, 16 nonzeros per row; all take turns in one process.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from processes import summary, timed
from scipy.sparse import csr_matrix
from workload import Case

from celsa_lib.embeddings import ItemEmbeddings, PackedEmbeddings
from celsa_lib.experiments.manifest import new_run
from celsa_lib.report.cost import packed_table
from celsa_lib.results import BENCHMARK, Result, save_result
from celsa_lib.retrieval import csr_bytes_per_item
from celsa_lib.retrieval.quantise import BITS

TOP, USERS_AT_ONCE, SINGLE_USERS = 100, 1_024, 300
PLAIN = "CSR in memory"
Rows = ItemEmbeddings | PackedEmbeddings


def contenders_of(case: Case, folder: Path) -> dict[str, tuple[Rows, float]]:
    """The rows of a case in memory and in files of `folder`, each with its bytes per item."""
    rows = ItemEmbeddings(case.rows().to_csr())
    found = {PLAIN: (rows, csr_bytes_per_item(rows.matrix))}
    for bits in sorted(BITS, reverse=True):
        packed = rows.pack(bits, folder / f"{bits}.packed")
        found[f"{bits} bits in a file"] = packed, packed.bytes_per_item
    return found


def score_all(rows: Rows, X: csr_matrix) -> None:
    """Scores of all users, USERS_AT_ONCE at a time, as nobody holds more."""
    for start in range(0, X.shape[0], USERS_AT_ONCE):
        rows.score(X[start : start + USERS_AT_ONCE])


def measured(case: Case, rounds: int, singles: int = SINGLE_USERS) -> list[dict]:
    """A row per contender: scoring, the TOP best, and those of one user. A first round warms up."""
    X = case.interactions()
    users = [X[user] for user in range(min(singles, case.users))]
    with TemporaryDirectory() as folder:
        found = contenders_of(case, Path(folder))
        times = {name: {"score": [], "best": [], "single": []} for name in found}
        for turn in range(rounds + 1):
            for name, (rows, _) in found.items():
                score = timed(lambda r=rows: score_all(r, X))
                best = timed(lambda r=rows: r.recommend(X, TOP))
                if turn:
                    times[name]["score"].append(score)
                    times[name]["best"].append(best)
        for user in users:
            for name, (rows, _) in found.items():
                times[name]["single"].append(timed(lambda r=rows, u=user: r.recommend(u, TOP)))
    return [row_of(name, size, times[name]) for name, (_, size) in found.items()]


def row_of(name: str, size: float, times: dict[str, list[float]]) -> dict:
    """What is stored of a contender; seconds are those of scoring all users."""
    p50, p99 = np.quantile(times["single"], [0.5, 0.99])
    return {
        "section": "packed", "contender": name, "bytes_per_item": round(size, 2),
        **summary(times["score"]), "best": float(f"{np.median(times['best']):.4g}"),
        "p50": float(f"{p50:.4g}"), "p99": float(f"{p99:.4g}"),
    }  # fmt: skip


def main() -> None:
    """Measure, write one file, print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="results/packed-cost.json")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    start = time.perf_counter()
    case = Case(nnz=16, users=2_500)
    rows = measured(case, options.rounds)
    manifest = {
        "kind": BENCHMARK,
        "what": f"cost of scoring packed rows, {case.nnz} nonzeros per row, {case.items:,} items, "
        f"{case.users:,} users, synthetic interactions",
        "runs": new_run(),
        "seconds": round(time.perf_counter() - start),
    }
    print(save_result(Result(manifest, rows), options.out))
    print(packed_table(Result({}, rows)).to_string(index=False))


if __name__ == "__main__":
    main()
