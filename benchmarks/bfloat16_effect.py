"""Does rounding the factors of dense products to bfloat16 change nDCG@100? On validation users.

Usage: python benchmarks/bfloat16_effect.py [--out results/bfloat16.json] [--seeds 3]
Compressed ELSA with dense products in every stage, once in float32 and once in bfloat16, same
seeds, same users: MovieLens-100K, and Goodbooks-10k partial where its data is (CELSA_DATA).
"""

import argparse
import time

from celsa_lib.data import load_dataset
from celsa_lib.errors import CelsaError
from celsa_lib.evaluation import evaluate, paired_difference
from celsa_lib.experiments.manifest import new_run
from celsa_lib.models import CompressedELSA
from celsa_lib.results import BENCHMARK, Result, save_result
from celsa_lib.split import holdout_folds, split_users

RUNS = {
    "ml-100k": (300, {"width": 256, "epochs": 2, "batch_size": 64}),
    "goodbooks-10k-partial": (2500, {"width": 1024, "epochs": 1}),
}


def compare(dataset: str, n_val: int, params: dict, seed: int) -> dict:
    """One seed: nDCG@100 of both, and their paired difference by user."""
    split = split_users(load_dataset(dataset).X, 0, n_val, 42)
    folds = holdout_folds(split.val)
    found, seconds = {}, {}
    for precision in ("float32", "bfloat16"):
        start = time.perf_counter()
        model = CompressedELSA(nnz=16, backend="dense", precision=precision, seed=seed, **params)
        found[precision] = evaluate(model.fit(split.train), folds)
        seconds[precision] = round(time.perf_counter() - start, 1)
    difference = paired_difference(found["bfloat16"], found["float32"])
    row = {name: round(result.mean["ndcg@100"], 4) for name, result in found.items()}
    row |= {"stderr": round(found["float32"].stderr["ndcg@100"], 4)}
    row |= {name: round(value, 5) for name, value in vars(difference).items()}
    return {"section": "bfloat16", "dataset": dataset, "seed": seed, "users": n_val, **row,
            "params": params, "seconds": seconds}  # fmt: skip


def main() -> None:
    """Measure, write one file, print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="results/bfloat16.json")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    start, rows = time.perf_counter(), []
    for dataset, (n_val, params) in RUNS.items():
        for seed in range(options.seeds if dataset == "ml-100k" else 1):
            try:
                rows.append(compare(dataset, n_val, params, seed))
            except CelsaError as error:
                print(f"{dataset} left out: {error}")
                break
            print(rows[-1], flush=True)
    manifest = {
        "kind": BENCHMARK,
        "what": "bfloat16 factors in dense products",
        "runs": new_run(),
        "seconds": round(time.perf_counter() - start),
    }
    print(save_result(Result(manifest, rows), options.out))


if __name__ == "__main__":
    main()
