"""Training among up to a million items: time and peak memory of each stage, accuracy.

Usage: python benchmarks/scale_training.py [--sizes 10000 100000 1000000] [--users-per-item 1]
    [--contenders NAME …] [--out results/scale-training.json] [--batch-size N] [--epochs N]
A crowd of each size (`celsa_lib.data.make_crowd`), as popular as a curve through the counts of
Goodbooks-10k partial, about 20 interactions a user; 2,000 users test. Each contender has a process
of its own; its times are those of processors too, which other work on the machine does not
lengthen. "sparse start" is the recommended setting, from the blocks of neighbours; "whole
inverse" the same from the inverse of all items, and EASE, up to --dense-items; "sampled" the same
with the loss over the items that a batch has seen and as many others, "seen" without others. The
paper's procedure begins dense at DENSE_WIDTH latents ("dense start", up to --wide-items), or at
places that a hash draws, without exchange and with it ("hashed", "exchanged"), for as many epochs.
"new items" holds a share of the items back from training and gives them rows afterwards. A row that
is stored is not measured again with the same settings.
"""

import argparse
import hashlib
import json
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from processes import peak_gib
from scale_new_items import new_items
from scale_source import CURVE_OF, Clock, Source

import celsa_lib as cl
from celsa_lib.data import fit_curve
from celsa_lib.evaluation import Evaluation
from celsa_lib.experiments.manifest import new_run, usable_cores
from celsa_lib.models.ease import EASE_BYTES
from celsa_lib.results import BENCHMARK, Result, load_result, save_result

SIZES = (10_000, 100_000, 1_000_000)
NNZ, REG = 16, 100.0
SCALE, EASE_COST, NEW, CURVE = "scale", "ease", "new items", "curve"
SPARSE, WHOLE, EASE, TRUTH = "sparse start", "whole inverse", "EASE", "truth"
SEEN, SAMPLED = "seen", "sampled"
PAPER, HASHED, EXCHANGED = "dense start", "hashed", "exchanged"
DENSE, SMALL, WIDE = (WHOLE, EASE), (SEEN, SAMPLED, NEW), (PAPER, HASHED, EXCHANGED)
DENSE_WIDTH, HALVING, SHARE = 512, 2, 0.3  # latents; epochs of a halving; exchanged at first


def model_of(contender: str, source: Source, clock: Clock):
    """A contender, not fitted."""
    if contender == EASE:
        return cl.EASE(REG)
    if contender in WIDE:
        return of_the_paper(contender, source, clock)
    shared = {"recipe": "recommended", "seed": 0, "progress": False, "callbacks": [clock]}
    given = {"batch_size": source.batch_size, "epochs": source.epochs}
    if contender == WHOLE:
        given["n_neighbours"] = source.n_items
    if contender in (SEEN, SAMPLED):
        seen = source.seen_by_a_batch()
        given["max_outputs"] = 1 if contender == SEEN else 2 * seen
    return cl.CompressedELSA(nnz=NNZ, **shared, **given)


def of_the_paper(contender: str, source: Source, clock: Clock):
    """The paper's procedure in a width that fits, or the same from hashed places."""
    shared = {"width": DENSE_WIDTH, "nnz": NNZ, "seed": 0, "progress": False}
    shared |= {"callbacks": [clock], "batch_size": source.batch_size}
    halving = source.epochs or HALVING
    if contender == PAPER:
        return cl.CompressedELSA(**shared, epochs=halving)
    stages = cl.models.make_schedule("exponential", DENSE_WIDTH, NNZ, halving)
    epochs, share = sum(stage.epochs for stage in stages), SHARE * (contender == EXCHANGED)
    return cl.CompressedELSA(**shared, support="hashed", epochs=epochs, regrowth=share)


def trained(contender: str, source: Source) -> dict:
    """What one process says of a contender: stages, memory, accuracy."""
    clock = Clock()
    train, users, folds, truth = source.made()
    clock.note("crowd")
    if contender == TRUTH:
        return accuracy(cl.evaluate(truth, folds)) | clock.said | {"peak_gib": round(peak_gib(), 3)}
    model = model_of(contender, source, clock).fit(train)
    clock.note("training")
    found = accuracy(cl.evaluate(model, folds))
    clock.note("evaluation")
    about = {"users": train.shape[0], "interactions": int(train.nnz), "test_users": len(users)}
    about |= {"bytes_per_item": model.bytes_per_item}
    if contender != EASE:
        resolved = {name: model.resolved_[name] for name in ("epochs", "batch_size", "max_outputs")}
        about |= resolved | {"backend": model.backend_}
        about["nonzeros"] = int(model.item_embeddings.matrix.nnz)
        about["losses"] = [round(entry["loss"], 9) for entry in model.history_]
    return found | about | clock.said | {"peak_gib": round(peak_gib(), 3)}


def accuracy(evaluation: Evaluation) -> dict:
    """nDCG@100 and its standard error over users."""
    values = evaluation.mean["ndcg@100"], evaluation.stderr["ndcg@100"]
    return dict(zip(("mean", "stderr"), (round(value, 5) for value in values), strict=True))


def curve_of(name: str) -> tuple[float, int]:
    """(exponent, offset) of the popularity of a dataset's items."""
    exponent, offset = fit_curve(cl.load_dataset(name, progress=False).X)
    return round(exponent, 4), offset


class Store:
    """Rows in one file, written after each: what is there with the same settings stays."""

    def __init__(self, path: Path):
        self.path = path
        self.result = load_result(path) if path.exists() else Result({})
        manifest = self.result.manifest
        self.result.manifest = {
            "kind": BENCHMARK,
            "what": f"training at nnz {NNZ} among up to a million items of a generated crowd",
            "runs": manifest.get("runs", {}) | new_run(),
            "seconds": manifest.get("seconds", 0),
        }

    def find(self, section: str, contender: str, items: int) -> dict | None:
        """The row of that name, whatever its settings."""
        named = section, contender, items
        for row in self.result.rows:
            if (row["section"], row["contender"], row["items"]) == named:
                return row
        return None

    def add(self, section: str, contender: str, items: int, key: str, values: dict) -> None:
        """Store a row in the place of an older one that says something else."""
        row = {"section": section, "contender": contender, "items": items, "hash": key, **values}
        old = self.find(section, contender, items)
        if old and all(old.get(name) == value for name, value in row.items()):
            return
        self.result.rows = [one for one in self.result.rows if one is not old]
        self.result.rows.append(row)
        save_result(self.result, self.path)
        print({k: v for k, v in row.items() if k not in ("hash", "losses")}, flush=True)

    def measure(self, section: str, contender: str, source: Source, action) -> None:
        """Store what a process of its own says, unless that is there."""
        named = [section, contender, source.settings(), NNZ, usable_cores()]
        key = hashlib.sha256(json.dumps(named).encode()).hexdigest()[:16]
        found = self.find(section, contender, source.n_items)
        if found and found["hash"] == key:
            return
        begun = time.perf_counter()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            values = pool.submit(action, contender, source).result()
        self.result.manifest["seconds"] += round(time.perf_counter() - begun)
        self.add(section, contender, source.n_items, key, values)


def ease_cost(store: Store, sizes: tuple[int, ...]) -> None:
    """EASE by its formula: bytes of the inverse; seconds grow with the cube from those measured."""
    measured = [
        row for row in store.result.rows if (row["section"], row["contender"]) == (SCALE, EASE)
    ]
    for n_items in sizes:
        values = {"gib": round(EASE_BYTES * n_items**2 / 2**30, 1)}
        if measured:
            of = max(measured, key=lambda row: row["items"])
            values["seconds"] = round(of["cpu_seconds_training"] * (n_items / of["items"]) ** 3)
            values["from_items"] = of["items"]
        store.add(EASE_COST, EASE, n_items, "by its formula", values)


def main() -> None:
    """Measure what is not stored yet, a row after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="results/scale-training.json")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    names = (TRUTH, SPARSE, *DENSE, *SMALL, *WIDE)
    parser.add_argument("--contenders", nargs="+", choices=names, default=names)
    parser.add_argument("--users-per-item", type=float, default=1.0)
    parser.add_argument("--fewest-users", type=int, default=20_000)
    parser.add_argument("--dense-items", type=int, default=10_000, help="Most of dense starts.")
    parser.add_argument("--wide-items", type=int, default=100_000, help="Most of the paper's.")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--curve", type=float, nargs=2, help="Exponent and offset, not fitted.")
    options = parser.parse_args()
    store = Store(Path(options.out))
    curve = options.curve or curve_of(CURVE_OF)
    store.add(CURVE, "fitted" if options.curve is None else "given", 0, "",
              {"exponent": curve[0], "offset": curve[1]})  # fmt: skip
    for n_items in sorted(options.sizes):
        n_users = max(options.fewest_users, round(options.users_per_item * n_items))
        given = options.batch_size, options.epochs
        source = Source(n_items, n_users, tuple(curve), *given)
        for contender in options.contenders:
            if contender in (*DENSE, *SMALL) and n_items > options.dense_items:
                continue
            if contender in WIDE and n_items > options.wide_items:
                continue
            if contender == NEW:
                store.measure(NEW, contender, source, new_items)
            else:
                store.measure(SCALE, contender, source, trained)
    ease_cost(store, tuple(sorted({*options.sizes, *SIZES})))


if __name__ == "__main__":
    main()
