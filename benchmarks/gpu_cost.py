"""Cost of training on a GPU: ours, the paper's formula in torch, the authors' package.

Usage: python benchmarks/gpu_cost.py [--out results/gpu-cost.json]
Under four minutes: each part has its seconds, after which none of its rows is begun, and a row says
what is left out. Rows are stored as they come; after LIMIT seconds the system ends the program.
Goodbooks-10k partial (CELSA_DATA) or, without it, synthetic interactions of its size. Ratios are
between times of one run; kernels are compiled before anything is timed.
"""

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from gpu_limits import GPU, limits, per_call
from scipy.sparse import csr_matrix
from time_budget import TimeBudget, end_process_after
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

LIMIT, MEASURING = 225, 210  # seconds until the system ends the program, and to measure in
BATCH, WIDTH, LEARNING_RATE, EPSILON = 1_024, 4_096, 0.1, 1e-7
REG = 100.0  # of the recommended recipe
LONGEST = 50  # seconds that the paper's training on a CPU may take
STEPS = (8, 32, 128, WIDTH)
GROWTH = {"items": (2_500, 5_000, 10_000, 20_000, 40_000), "users": (256, 512, 1_024, 2_048, 4_096)}


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


def steps(X: csr_matrix) -> Iterator[dict]:
    """Every contender at several nnz."""
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
            yield {"section": "step", "contender": name, "nnz": nnz, **times}
            torch.cuda.empty_cache()


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


def moving(X: csr_matrix) -> Iterator[dict]:
    """An epoch at 16 nonzeros that are chosen at every step, by the kernels and by torch."""
    for backend in ("auto", "dense"):
        model = CompressedELSA(
            WIDTH, 16, "constant", epochs=1, batch_size=BATCH, backend=backend, progress=False
        )
        first, again = (timed(lambda m=model: m.fit(X)) for _ in range(2))
        loss = model.history_[-1]["loss"]
        yield {"section": "moving", "backend": model.backend_, "seconds": again,
               "first": first, "loss": loss}  # fmt: skip


def starts(X: csr_matrix) -> Iterator[dict]:
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
    yield from rows


def counted_bytes(X: csr_matrix) -> Iterator[dict]:
    """The most bytes that a sparse and a dense step took, and those that were counted before."""
    for nnz in (8, WIDTH):
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()
        per_call(ours(X, nnz, "float32"), 1, 1)
        taken = torch.cuda.max_memory_allocated() - before
        options = TrainingOptions(batch_size=BATCH)
        sizes = Sizes(X, WIDTH, options, triton=True)
        of_stage = bytes_of_stage(Stage(nnz, 1), sizes)
        of_window = bytes_of_window(longest_window(X, options), sizes)
        yield {"section": "bytes", "nnz": nnz, "taken": taken,
               "counted": RESERVE + of_stage + of_window}  # fmt: skip


def growth() -> Iterator[dict]:
    """Ours at 16 nonzeros per row, one size changed at a time."""
    for size, values in GROWTH.items():
        for value in values:
            n_items, users = (value, BATCH) if size == "items" else (10_000, value)
            X = skewed(users, n_items, 23)
            yield {"section": f"growth {size}", "items": n_items, "users": users,
                   **per_call(ours(X, 16, "float32", users))}  # fmt: skip
            torch.cuda.empty_cache()


def skewed(users: int, n_items: int, history: int) -> csr_matrix:
    """Interactions as the other training benchmark's."""
    return Case(items=n_items, users=users, history=history).interactions()


def training_users(X: csr_matrix) -> int:
    """Users that whole trainings learn from: all but those of validation."""
    return X.shape[0] - min(1000, X.shape[0] // 10)


PAPER = {"width": WIDTH, "nnz": 16, "epochs": 10, "batch_size": BATCH}
RECOMMENDED = {"recipe": "recommended", "nnz": 16}
SHORT = "paper, 1 epoch per stage"
TRAININGS = {  # what, with which parameters, on which devices, how often after the first time
    "recommended": (RECOMMENDED, ("cuda", "cpu"), 3),
    "paper": (PAPER, ("cuda",), 1),
    "paper, TF32": (PAPER | {"precision": "tf32"}, ("cuda",), 1),
    SHORT: (PAPER | {"epochs": 1}, ("cuda",), 1),
}


def trainings(X: csr_matrix, named: str, wanted=tuple(TRAININGS)) -> Iterator[dict]:
    """Whole trainings and their nDCG@100 on validation users, on the GPU and on the CPU."""
    train, folds = divided(X)
    for what in wanted:
        parameters, devices, again = TRAININGS[what]
        for device in devices:
            yield trained(train, folds, named, what, parameters, device, again)


def on_the_cpu(X: csr_matrix) -> Iterator[dict]:
    """The paper's training there, with few epochs: it takes longest, and comes last."""
    train, folds = divided(X)
    yield trained(train, folds, "goodbooks", SHORT, TRAININGS[SHORT][0], "cpu", 0)


def divided(X: csr_matrix) -> tuple[csr_matrix, list]:
    """(histories to learn from, folds of validation users)."""
    split = split_users(X, 0, X.shape[0] - training_users(X), 42)
    return split.train, holdout_folds(split.val)


def trained(
    train: csr_matrix, folds: list, named: str, what: str, params: dict, device: str, again: int
) -> dict:
    """One training; `seconds` is the median of `again` more, or else the first."""
    model = CompressedELSA(**params, device=device, progress=False)
    first = timed(lambda: model.fit(train))  # compiles kernels that no other row has needed
    seconds = [timed(lambda: model.fit(train)) for _ in range(again)] or [first]
    start = time.perf_counter()
    score = evaluate(model, folds)
    return {
        "section": "training", "data": named, "what": what, "device": device,
        "seconds": float(np.median(seconds)), "first": first, "backend": model.backend_,
        "precision": model.precision_, "seconds_evaluate": time.perf_counter() - start,
        "ndcg@100": score.mean["ndcg@100"], "stderr": score.stderr["ndcg@100"],
        "epochs": len(model.history_), "params": params,
    }  # fmt: skip


def ease(X: csr_matrix) -> Iterator[dict]:
    """EASE, inverted on the GPU, and its lists: of the first time and of the second."""
    train, folds = divided(X)
    model = EASE(200.0)
    seconds = timed(lambda: model.fit(train))
    ranked = [timed(lambda: model.recommend(train, 100)) for _ in range(2)]
    score = evaluate(model, folds)
    yield {"section": "training", "data": "goodbooks", "what": "EASE", "device": "cuda",
           "seconds": seconds, "ndcg@100": score.mean["ndcg@100"],
           "stderr": score.stderr["ndcg@100"], "seconds_recommend": ranked}  # fmt: skip


def timed(action: Callable) -> float:
    """Seconds that `action` takes."""
    start = time.perf_counter()
    action()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def agreement(X: csr_matrix) -> Iterator[dict]:
    """CPU and GPU on the same batches: losses of 20 steps and the rows after them."""
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
        yield {
            "section": "agreement", "what": what, "steps": -(-part.shape[0] // BATCH),
            "loss": float(np.abs(losses[1] / losses[0] - 1).max()),
            "rows": float(abs(theirs - found).max()), "backends": [cpu.backend_, gpu.backend_],
            "same bits again": found.nnz == same.nnz and not (found != same).nnz,
        }  # fmt: skip


def parts_of(X: csr_matrix, named: str) -> list[tuple[str, int, Iterator[dict]]]:
    """(part, its seconds, its rows); these add up to no more than MEASURING."""
    planted = make_synthetic(n_users=5_400, n_items=3_500).X
    return [
        ("limits", 6, limits()),
        ("step", 45, steps(X)),
        ("training, synthetic", 35, trainings(planted, "synthetic", ("recommended",))),
        ("training", 60, trainings(X, named, TRAININGS if named == "goodbooks" else ())),
        ("EASE", 8, ease(X)),
        ("agreement", 10, agreement(X)),
        ("moving", 10, moving(X)),
        ("start", 10, starts(X)),
        ("bytes", 5, counted_bytes(X)),
        ("growth", 12, growth()),
    ]


def main() -> None:
    """Measure in time, write one file after each row, print the ratios."""
    end_process_after(LIMIT)
    budget = TimeBudget(MEASURING)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="results/gpu-cost.json")
    options = parser.parse_args()
    try:
        X, data = load_dataset("goodbooks-10k-partial").X, "goodbooks-10k-partial"
    except CelsaError:
        X, data = skewed(37_442, 10_000, 23), "synthetic"
    named = "goodbooks" if data != "synthetic" else data
    manifest = {"kind": BENCHMARK, "what": "cost of training on a GPU", "data": data}
    manifest["runs"] = new_run("triton", "compresso-recsys", card=torch.cuda.get_device_name())
    manifest |= {"items": X.shape[1], "batch": BATCH, "training_users": training_users(X)}
    rows: list[dict] = []

    def measured(name: str, seconds: float, found: Iterator[dict]) -> None:
        for row in budget.part(name, seconds, found):
            rows.append(row)
            print({key: value for key, value in row.items() if key != "params"}, flush=True)
            taken = round(budget.total - budget.left)
            save_result(Result(manifest | {"seconds": taken}, rows), options.out)

    for part in parts_of(X, named):
        measured(*part)
    if budget.left > LONGEST and named == "goodbooks":
        measured("training on the CPU", LONGEST, on_the_cpu(X))
    made = [row for row in rows if row["section"] == "step"]
    for nnz in STEPS:
        times = {row["contender"]: row["seconds"] for row in made if row["nnz"] == nnz}
        base = times.get("torch TF32")
        if base:
            print(f"nnz {nnz}:", ", ".join(f"{n} {base / s:.1f}×" for n, s in times.items()))


if __name__ == "__main__":
    main()
