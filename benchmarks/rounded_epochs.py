"""Do packed rows gain from last epochs that see values as a file will have them? On test users.

Usage: python benchmarks/rounded_epochs.py [--out results/rounded-epochs.json] [--seeds 3]
The recommended setting at 64 and 128 bytes per item (Table 1's count), trained as usual, and with
values rounded to 4 or 3 bits in each step of the last epochs, where the gradient passes straight
through (Bengio, Léonard and Courville 2013). Both packed in as many bits, same seeds, same users:
MovieLens-100K and 800 synthetic items.
"""

import argparse
import time
from collections.abc import Iterator

import numpy as np
import torch
from scipy.sparse import csr_matrix

from celsa_lib.embeddings import ItemEmbeddings
from celsa_lib.evaluation import difference_by_user, evaluate
from celsa_lib.experiments import at_budgets, prepare
from celsa_lib.experiments.manifest import new_run
from celsa_lib.experiments.profiles import configuration
from celsa_lib.experiments.synthetic_sizes import settings_of_size, with_users_of
from celsa_lib.experiments.task import Task
from celsa_lib.models import CompressedELSA
from celsa_lib.models.recipes import fill
from celsa_lib.results import BENCHMARK, Result, save_result
from celsa_lib.training import Run, Stage, TrainingOptions
from celsa_lib.training.anchored import anchored_rows, neighbourhoods
from celsa_lib.training.rows import Rows

SETS = {"ml-100k": ("ml-100k", None), "synthetic-800": ("synthetic", 800)}
SIZES, BITS, LAST = (64, 128), (4, 3), (2,)  # bytes per item; of a value; epochs, of ten
CPU = torch.device("cpu")


def task_of(name: str) -> Task:
    """Users of a set as its studies divide them."""
    dataset, n_items = SETS[name]
    methods = at_budgets("CompressedELSA", SIZES, recipe="recommended")
    config = configuration(dataset, "laptop", methods)
    settings = settings_of_size(dataset, "laptop", n_items)
    return prepare(with_users_of(settings, config))[1]


def trained(X: csr_matrix, size: int, seed: int, bits: int = 0, last: int = 0) -> ItemEmbeddings:
    """Rows of the recommended setting, the `last` epochs with values rounded to `bits`."""
    ours = {"recipe": "recommended", "device": "cpu", "progress": False}
    model = CompressedELSA(nnz=size // 8, seed=seed, **ours)
    model.set_params(**fill(model.get_params(deep=False), X, X.shape[1]))
    near = neighbourhoods(X, model.reg, CPU, model.n_neighbours)
    start = anchored_rows(near, model.nnz, model.floor, model.scales, CPU)
    stages, options = [Stage(start.nnz, model.epochs)], TrainingOptions.of(model)
    run = Run(X, start.width, [stages], False, options, start=start)
    for _ in run.stages():
        for batch in run.batches():
            if bits and run.epochs >= model.epochs - last:
                rounded_step(run, batch, bits)
            else:
                run.step(batch)
    (found,) = run.results()
    return ItemEmbeddings(found.rows, input_scales=found.input_scales)


def rounded_step(run: Run, batch, bits: int) -> None:
    """A step of the values by the gradient that they would have rounded; their mean is of them."""
    rows = run.rows
    lost = rows.values - rounded(rows, bits)
    rows.values -= lost
    run.step(batch)
    rows.values += lost
    if run.options.non_negative:
        rows.values.clamp_(min=0.0)
    if rows.mean is not None:
        rows.mean.add_(lost, alpha=run.trainer.of_mean)


def rounded(rows: Rows, bits: int) -> torch.Tensor:
    """The values of ragged rows as a file of these bits has them, in rows of their own norm."""
    stored = ItemEmbeddings(rows.to_csr(), input_scales=rows.input_scales())
    packed = stored.pack(bits).rows()[0]
    values, cols, starts = (part.numpy() for part in rows.flat())
    row = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    norms = np.sqrt(np.bincount(row, values.astype(float) ** 2))
    scale = norms[row] / rows.scales[0].exp().numpy()[row]
    found = np.asarray(packed[row, cols.copy()]).ravel()  # SciPy refuses memory of torch's
    return torch.from_numpy((scale * found).astype(np.float32))


def compare(name: str, size: int, seeds: range) -> Iterator[dict]:
    """A row for each number of bits and of last epochs: both packed, and the difference by user."""
    task = task_of(name)
    by_user = lambda model: evaluate(model, task.folds).by_user()["ndcg@100"].to_numpy()  # noqa: E731
    usual = [trained(task.fit, size, seed) for seed in seeds]
    whole = np.mean([by_user(model) for model in usual])
    for bits in BITS:
        before = np.mean([by_user(model.pack(bits)) for model in usual], axis=0)
        for last in LAST:
            start = time.perf_counter()
            models = [trained(task.fit, size, seed, bits, last) for seed in seeds]
            after = np.mean([by_user(model.pack(bits)) for model in models], axis=0)
            found = difference_by_user(after, before)
            yield {
                "section": "rounded epochs", "dataset": name, "budget_bytes": size, "bits": bits,
                "epochs": last, "seeds": len(seeds), "users": len(after),
                "unpacked": round(float(whole), 4), "usual": round(float(before.mean()), 4),
                "rounded": round(float(after.mean()), 4),
                **{part: round(value, 5) for part, value in vars(found).items()},
                "seconds": round(time.perf_counter() - start, 1),
            }  # fmt: skip


def main() -> None:
    """Measure, write one file, print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="results/rounded-epochs.json")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    runs, start, rows = new_run(), time.perf_counter(), []
    for name in SETS:
        for size in SIZES:
            for row in compare(name, size, range(options.seeds)):
                rows.append(row)
                print(row, flush=True)
    manifest = {
        "kind": BENCHMARK,
        "what": "last epochs with rounded values",
        "runs": runs,
        "seconds": round(time.perf_counter() - start),
    }
    print(save_result(Result(manifest, rows), options.out))


if __name__ == "__main__":
    main()
