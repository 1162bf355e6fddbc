"""Cost of training on a GPU: ours, the paper's formula in torch, the authors' package.

Usage: python benchmarks/gpu_cost.py [--out results/gpu-cost.json]
Under four minutes. Goodbooks-10k partial (CELSA_DATA) or, without it, synthetic interactions of its
size. Ratios are between times of one run; kernels are compiled before anything is timed.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch.nn import functional
from workload import Case

from celsa_lib.data import load_dataset
from celsa_lib.data.synthetic import make_synthetic
from celsa_lib.errors import CelsaError
from celsa_lib.evaluation import evaluate
from celsa_lib.experiments.manifest import new_run
from celsa_lib.kernels.rows import TINY
from celsa_lib.models import EASE, CompressedELSA
from celsa_lib.results import BENCHMARK, Result, save_result
from celsa_lib.split import holdout_folds, split_users
from celsa_lib.training import TrainingOptions
from celsa_lib.training.anchored import neighbourhoods
from celsa_lib.training.gpu import DenseGpuTrainer, Epochs, SparseGpuTrainer
from celsa_lib.training.memory import (
    RESERVE,
    Sizes,
    bytes_of_stage,
    bytes_of_window,
    longest_window,
)
from celsa_lib.training.nadam import Nadam
from celsa_lib.training.options import Stage
from celsa_lib.training.rows import Rows

GPU = torch.device("cuda")
BATCH, WIDTH, LEARNING_RATE, EPSILON = 1_024, 4_096, 0.1, 1e-7
REG = 100.0  # of the recommended recipe
STEPS = (8, 32, 128, WIDTH)
GROWTH = {"items": (2_500, 5_000, 10_000, 20_000, 40_000), "users": (256, 512, 1_024, 2_048, 4_096)}


def per_call(action: Callable[[], None], calls: int = 20, rounds: int = 5) -> dict:
    """Median seconds of an action on the GPU, with the fastest and slowest round."""
    for _ in range(4):
        action()
    torch.cuda.synchronize()
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(calls):
            action()
        torch.cuda.synchronize()
        found.append((time.perf_counter() - start) / calls)
    return {"seconds": float(np.median(found)), "fastest": min(found), "slowest": max(found)}


def limits() -> list[dict]:
    """What the GPU can do: copies in its memory and in its cache, products in three formats."""
    rows = []
    for what, n_bytes in (("copy", 2**30), ("copy in L2", 2**24)):
        source = torch.zeros(n_bytes, dtype=torch.uint8, device=GPU)
        target = torch.empty_like(source)
        times = per_call(lambda s=source, t=target: t.copy_(s), 50)
        rows.append({"what": what, "rate": 2 * n_bytes / times["seconds"] / 1e9, **times})
    for precision in ("float32", "tf32", "bfloat16"):
        kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
        left = torch.randn(8_192, 8_192, device=GPU, dtype=kind)
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        times = per_call(lambda m=left: m @ m, 5)
        rate = 2 * 8_192**3 / times["seconds"] / 1e9
        rows.append({"what": f"product {precision}", "rate": rate, **times})
    torch.backends.cuda.matmul.allow_tf32 = False
    return [{"section": "limits", **row} for row in rows]


def random_rows(nnz: int, n_items: int, width: int = WIDTH) -> Rows:
    """Rows of normal values at random columns, on the GPU."""
    values = torch.randn(n_items, width, device=GPU)
    if nnz == width:
        every = torch.arange(width, dtype=torch.int32, device=GPU)
        return Rows(values, every.expand(n_items, width), width)
    cols = torch.topk(values.abs(), nnz, dim=1).indices.sort(dim=1).values
    return Rows(values.gather(1, cols), cols.int(), width)


def ours(X: csr_matrix, nnz: int, precision: str, batch_size: int = BATCH) -> Callable[[], None]:
    """A step of this library on the first batch of an epoch, its batch cut once."""
    rows = random_rows(nnz, X.shape[1])
    torch.cuda.reset_peak_memory_stats()  # drawing the rows is not part of a training
    options = TrainingOptions(batch_size=batch_size, precision=precision)
    epochs = Epochs(X, options, GPU)
    trainer = (DenseGpuTrainer if nnz == WIDTH else SparseGpuTrainer)(
        rows, Nadam.start(rows.values), options, epochs
    )
    rates = np.full((epochs.n_steps, 2), [LEARNING_RATE, 0.0])
    first = next(trainer.batches(np.random.default_rng(0), rates))

    def step() -> None:
        epochs.step.zero_()
        trainer.step(first)

    return step


def formula(X: csr_matrix, nnz: int, tf32: bool) -> Callable[[], None]:
    """The paper's formula as it is written: dense x, masked dense A, autograd, torch's NAdam."""
    n_items, rows = X.shape[1], random_rows(nnz, X.shape[1])
    mask = torch.zeros(n_items, WIDTH, device=GPU).scatter_(1, rows.cols.long(), 1.0)
    A = torch.zeros(n_items, WIDTH, device=GPU).scatter_(1, rows.cols.long(), rows.values)
    A.requires_grad_()
    optimiser = torch.optim.NAdam([A], lr=LEARNING_RATE, eps=EPSILON)
    batch = X[np.random.default_rng(0).permutation(X.shape[0])[:BATCH]]
    users = torch.from_numpy(np.repeat(np.arange(batch.shape[0]), np.diff(batch.indptr))).to(GPU)
    items = torch.from_numpy(batch.indices).long().to(GPU)

    def step() -> None:
        torch.backends.cuda.matmul.allow_tf32 = tf32
        x = torch.zeros(batch.shape[0], n_items, device=GPU).index_put_(
            (users, items), torch.ones((), device=GPU)
        )
        optimiser.zero_grad()
        unit = functional.normalize(A if nnz == WIDTH else A * mask, dim=1)
        p = functional.relu(x @ unit @ unit.T - x)
        functional.mse_loss(
            functional.normalize(p, dim=1, eps=TINY), functional.normalize(x, dim=1)
        ).backward()
        optimiser.step()
        torch.backends.cuda.matmul.allow_tf32 = False

    return step


def steps(X: csr_matrix) -> list[dict]:
    """Every contender at several nnz."""
    rows = []
    for nnz in STEPS:
        contenders = {
            "torch float32": lambda n=nnz: formula(X, n, False),
            "torch TF32": lambda n=nnz: formula(X, n, True),
            "celsa float32": lambda n=nnz: ours(X, n, "float32"),
        }
        if nnz == WIDTH:
            contenders["celsa TF32"] = lambda n=nnz: ours(X, n, "tf32")
            contenders["celsa bfloat16"] = lambda n=nnz: ours(X, n, "bfloat16")
        else:
            contenders |= compresso(X, nnz)
        for name, make in contenders.items():
            calls = 20 if name.startswith("celsa") else 8
            try:
                times = per_call(make(), calls)
            except Exception as error:  # a peer that does not run here is left out, and named
                if name.startswith("celsa"):
                    raise
                print(f"{name} at nnz {nnz} left out: {type(error).__name__}: {error}")
                continue
            rows.append({"section": "step", "contender": name, "nnz": nnz, **times})
            print(f"nnz {nnz}: {name} {1e3 * times['seconds']:.3f} ms", flush=True)
            torch.cuda.empty_cache()
    return rows


def compresso(X: csr_matrix, nnz: int) -> dict[str, Callable]:
    """The authors' package, fine-tuning a fixed support, where it is installed."""
    try:
        import compresso_recsys  # noqa: F401
    except ImportError:
        return {}
    return {
        f"compresso-recsys, {kind}": lambda kind=kind: compresso_step(X, nnz, kind)
        for kind in ("dense", "coo")
    }


def compresso_step(X: csr_matrix, nnz: int, kind: str) -> Callable[[], None]:
    """A step of the authors' package on the GPU, with the support of `random_rows`."""
    from compresso import SRPParam
    from compresso_recsys.models._batching import InteractionBatchSampler
    from compresso_recsys.models.elsa import ELSACompressionConfig, ELSAConfig, ELSATrainer

    compression = ELSACompressionConfig(nnz, (WIDTH, nnz), sparse_finetune_backend=kind)
    config = ELSAConfig(
        WIDTH, BATCH, lr=LEARNING_RATE, compression=compression, show_progress=False, device="cuda"
    )
    trainer = ELSATrainer(config).build(X.shape[1])
    rows, model = random_rows(nnz, X.shape[1]), trainer.elsa
    shape = X.shape[1], WIDTH
    model.masked_A, model.phase = None, "sparse_finetune"
    model.sparse_A = SRPParam(cols=rows.cols.long(), values=rows.values, shape=shape).to(GPU)
    trainer.sparsity_controller = None
    trainer._reset_optimizer()
    sampler = InteractionBatchSampler(
        X, device="cuda", batch_size=BATCH, shuffle=False, max_output=None, seed=0
    )

    def step() -> None:
        batch = sampler[0]
        trainer.train_step(batch.x, batch.sources, batch.candidates)

    return step


def moving(X: csr_matrix) -> list[dict]:
    """An epoch at 16 nonzeros that are chosen at every step, by the kernels and by torch."""
    rows = []
    for backend in ("auto", "dense"):
        model = CompressedELSA(
            WIDTH, 16, "constant", epochs=1, batch_size=BATCH, backend=backend, progress=False
        )
        first, again = (timed(lambda m=model: m.fit(X)) for _ in range(2))
        loss = model.history_[-1]["loss"]
        rows.append({"section": "moving", "backend": model.backend_, "seconds": again,
                     "first": first, "loss": loss})  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def starts(X: csr_matrix) -> list[dict]:
    """What anchored rows begin with, counted on the GPU and on the CPU."""
    rows, found = [], []
    for device in ("cuda", "cpu"):
        first, again = (
            timed(lambda d=device: found.append(neighbourhoods(X, REG, torch.device(d))))
            for _ in range(2)
        )
        rows.append({"section": "start", "device": device, "seconds": again, "first": first})
    differences = abs(found[0].partial - found[-1].partial)
    rows[0] |= {"difference": float(differences.max()), "nonzeros": found[0].partial.nnz}
    print(rows, flush=True)
    return rows


def counted_bytes(X: csr_matrix) -> list[dict]:
    """The most bytes that a sparse and a dense step took, and those that were counted before."""
    rows = []
    for nnz in (8, WIDTH):
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()
        per_call(ours(X, nnz, "float32"), 1, 1)
        taken = torch.cuda.max_memory_allocated() - before
        options = TrainingOptions(batch_size=BATCH)
        sizes = Sizes(X, WIDTH, options, triton=True)
        of_stage = bytes_of_stage(Stage(nnz, 1), sizes)
        of_window = bytes_of_window(longest_window(X, options), sizes)
        rows.append({"section": "bytes", "nnz": nnz, "taken": taken,
                     "counted": RESERVE + of_stage + of_window})  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def growth() -> list[dict]:
    """Ours at 16 nonzeros per row, one size changed at a time."""
    rows = []
    for size, values in GROWTH.items():
        for value in values:
            n_items, users = (value, BATCH) if size == "items" else (10_000, value)
            X = skewed(users, n_items, 23)
            rows.append({"section": f"growth {size}", "items": n_items, "users": users,
                         **per_call(ours(X, 16, "float32", users))})  # fmt: skip
            torch.cuda.empty_cache()
    return rows


def skewed(users: int, n_items: int, history: int) -> csr_matrix:
    """Interactions as the other training benchmark's."""
    return Case(items=n_items, users=users, history=history).interactions()


def training_users(X: csr_matrix) -> int:
    """Users that whole trainings learn from: all but those of validation."""
    return X.shape[0] - min(1000, X.shape[0] // 10)


def trainings(X: csr_matrix, named: str) -> list[dict]:
    """Whole trainings and their nDCG@100 on validation users, on the GPU and on the CPU."""
    split = split_users(X, 0, X.shape[0] - training_users(X), 42)
    folds = holdout_folds(split.val)
    recommended = {"recipe": "recommended", "nnz": 16}
    paper = {"width": WIDTH, "nnz": 16, "epochs": 10, "batch_size": BATCH}
    rows = []
    for what, parameters, device in (
        ("recommended", recommended, "cuda"),
        ("recommended", recommended, "cpu"),
        ("paper", paper, "cuda"),
        ("paper, TF32", paper | {"precision": "tf32"}, "cuda"),
        ("paper, 1 epoch per stage", paper | {"epochs": 1}, "cuda"),
        ("paper, 1 epoch per stage", paper | {"epochs": 1}, "cpu"),
    ):
        if named != "goodbooks" and what != "recommended":
            continue
        model = CompressedELSA(**parameters, device=device, progress=False)
        first = timed(lambda m=model: m.fit(split.train))  # compiles the kernels
        again = [first] if device == "cpu" and what != "recommended" else [
            timed(lambda m=model: m.fit(split.train)) for _ in range(3 if "recom" in what else 1)
        ]  # fmt: skip
        start = time.perf_counter()
        score = evaluate(model, folds)
        rows.append({
            "section": "training", "data": named, "what": what, "device": device,
            "seconds": float(np.median(again)), "first": first, "backend": model.backend_,
            "precision": model.precision_, "seconds_evaluate": time.perf_counter() - start,
            "ndcg@100": score.mean["ndcg@100"], "stderr": score.stderr["ndcg@100"],
            "epochs": len(model.history_), "params": parameters,
        })  # fmt: skip
        print(rows[-1], flush=True)
    if named == "goodbooks":
        start = time.perf_counter()
        model = EASE(200.0).fit(split.train)
        seconds = time.perf_counter() - start
        score = evaluate(model, folds)
        rows.append({"section": "training", "data": named, "what": "EASE", "device": "cuda",
                     "seconds": seconds, "ndcg@100": score.mean["ndcg@100"],
                     "stderr": score.stderr["ndcg@100"]})  # fmt: skip
    return rows


def timed(action: Callable) -> float:
    """Seconds that `action` takes."""
    start = time.perf_counter()
    action()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def agreement(X: csr_matrix) -> list[dict]:
    """CPU and GPU on the same batches: losses of 20 steps and the rows after them."""
    rows = []
    for what, parameters in (
        ("paper", {"width": 512, "nnz": 16}),
        ("recommended", {"recipe": "recommended", "nnz": 16}),
    ):
        part = X[: 20 * BATCH]
        shared = parameters | {"epochs": 1, "batch_size": BATCH, "progress": False}
        cpu = CompressedELSA(**shared, device="cpu").fit(part)
        gpu, again = (CompressedELSA(**shared, device="cuda").fit(part) for _ in range(2))
        theirs, found, same = (m.item_embeddings.matrix for m in (cpu, gpu, again))
        losses = [np.array([e["loss"] for e in m.history_]) for m in (cpu, gpu)]
        rows.append({
            "section": "agreement", "what": what, "steps": -(-part.shape[0] // BATCH),
            "loss": float(np.abs(losses[1] / losses[0] - 1).max()),
            "rows": float(abs(theirs - found).max()), "backends": [cpu.backend_, gpu.backend_],
            "same bits again": found.nnz == same.nnz and not (found != same).nnz,
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure everything, write one file, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="results/gpu-cost.json")
    options = parser.parse_args()
    start = time.perf_counter()
    try:
        X, data = load_dataset("goodbooks-10k-partial").X, "goodbooks-10k-partial"
    except CelsaError:
        X, data = skewed(37_442, 10_000, 23), "synthetic"
    planted = make_synthetic(n_users=5_400, n_items=3_500).X
    runs = new_run("triton", "compresso-recsys", card=torch.cuda.get_device_name())
    rows: list[dict] = []
    for part in (
        limits,
        lambda: steps(X),
        lambda: trainings(planted, "synthetic"),
        lambda: trainings(X, "goodbooks"),
        lambda: agreement(X),
        lambda: moving(X),
        lambda: starts(X),
        lambda: counted_bytes(X),
        growth,
        limits,
    ):
        rows += part()
        seconds = round(time.perf_counter() - start)
        manifest = {"kind": BENCHMARK, "what": "cost of training on a GPU"}
        manifest |= {"data": data, "runs": runs}
        manifest |= {"items": X.shape[1], "batch": BATCH, "training_users": training_users(X)}
        save_result(Result(manifest | {"seconds": seconds}, rows), options.out)
    for nnz in STEPS:
        times = {r["contender"]: r["seconds"] for r in rows if r.get("nnz") == nnz}
        base = times["torch TF32"]
        print(f"nnz {nnz}:", ", ".join(f"{n} {base / s:.1f}×" for n, s in times.items()))


if __name__ == "__main__":
    main()
