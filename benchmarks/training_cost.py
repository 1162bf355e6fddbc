"""Cost of a training step: ours, the paper's formula in torch, the authors' package.

Usage: python benchmarks/training_cost.py [--out results/training-cost.json] [--rounds 5]
The authors' package takes part where the extra `bench` is installed. A quarter of an hour on two
cores. Every number is a median; ratios are between times of one run.
"""

import argparse
import time
from dataclasses import asdict

import numpy as np
import torch
from contenders import Celsa, available, make
from processes import Worker, summary, take_turns, timed
from tqdm import tqdm
from workload import Case

from celsa_lib.experiments.manifest import new_run
from celsa_lib.models import CompressedELSA
from celsa_lib.models.schedules import exponential
from celsa_lib.results import BENCHMARK, Result, save_result
from celsa_lib.training.device import density_of_dense

STEPS = (8, 32, 128, 4096)
BACKENDS = ["celsa, sparse kernels", "celsa, dense products", "celsa, dense products, bfloat16"]
GROWTH = {
    "nnz": (4, 8, 16, 32, 64, 128),
    "width": (1_024, 2_048, 4_096, 8_192, 16_384),
    "items": (2_500, 5_000, 10_000, 20_000, 40_000),
    "history": (18, 36, 71, 142, 284),
    "users": (256, 512, 1_024, 2_048),
}
SCHEDULE = {"width": 4_096, "nnz": 16, "epochs": 10}
STEPS_AN_EPOCH = 2


def hardware(rounds: int) -> list[dict]:
    """What the machine can do: the decoder's product, in two formats, and a copy."""
    E, A = torch.randn(1_024, 4_096), torch.randn(10_000, 4_096)
    operations = 2 * 1_024 * 4_096 * 10_000
    source, target = np.ones(2**26, np.float32), np.empty(2**26, np.float32)
    half = E.bfloat16(), A.bfloat16()
    what = {
        "product float32": (lambda: E @ A.T, operations / 1e9),
        "product bfloat16": (lambda: half[0] @ half[1].T, operations / 1e9),
        "copy": (lambda: np.copyto(target, source), 2 * source.nbytes / 1e9),
    }
    rows = []
    for name, (action, work) in what.items():
        action()
        times = summary([timed(action) for _ in range(rounds)])
        rows.append({"what": name, "rate": round(work / times["seconds"], 1), **times})
    return rows


def work(case: Case) -> float:
    """GFLOP of a step: decoder, its two gradients, and both ways through the encoder."""
    decoder = 2 * case.users * case.items * case.nnz
    encoder = 2 * case.users * case.history * case.nnz
    return (3 * decoder + 2 * encoder) / 1e9


def row(section: str, name: str, case: Case, times: dict) -> dict:
    """One line of the result."""
    return {"section": section, "contender": name, **asdict(case), **times, "gflop": work(case)}


def steps(rounds: int) -> list[dict]:
    """Every contender at several nnz, taking turns."""
    rows = []
    for nnz in tqdm(STEPS, desc="steps"):
        case = Case(nnz=nnz)
        for name, times in take_turns(available(case), make, (case,), rounds).items():
            rows.append(row("step", name, case, times))
    return rows


def crossover(rounds: int) -> list[dict]:
    """Sparse kernels against dense products as rows fill up, and where one gives way."""
    limit = density_of_dense("float32")
    rows = [{"section": "choice", "dense_above": limit}]
    for nnz in tqdm((256, 512, 1_024, 1_536, 2_048, 4_096), desc="density"):
        case = Case(nnz=nnz)
        for name, times in take_turns(BACKENDS, make, (case,), rounds).items():
            rows.append(row("density", name, case, times))
    return rows


def growth(rounds: int) -> list[dict]:
    """Ours alone, one size changed at a time."""
    rows = []
    for size, values in tqdm(GROWTH.items(), desc="growth"):
        for nnz in (8, 32) if size == "width" else (16,):
            for value in values:
                case = Case(**{"nnz": nnz, size: value})
                contender = Celsa(case, backend="sparse")
                contender.step()
                times = summary([timed(contender.step) for _ in range(3 * rounds)])
                rows.append(row(f"growth {size}", "celsa, sparse kernels", case, times))
    return rows


def memory() -> list[dict]:
    """Peak memory of a process that makes k-sparse steps on 100,000 items."""
    case = Case(nnz=16, items=100_000, outputs=20_000)
    worker = Worker(make, "celsa", case)
    times = summary([worker.seconds() for _ in range(5)])
    return [row("memory", "celsa", case, times | {"peak_gib": round(worker.close(), 3)})]


def schedule(step_rows: list[dict]) -> list[dict]:
    """A whole exponential schedule: ours run, prunes included; torch as steps × its median step.

    Torch's step does not depend on nnz (`step_rows`), so nothing is gained by making all of them.
    """
    case = Case(nnz=SCHEDULE["nnz"], users=1_024 * STEPS_AN_EPOCH)
    X = case.interactions()
    model = CompressedELSA(**SCHEDULE, batch_size=1_024)
    seconds = timed(lambda: model.fit(X))
    n_steps = STEPS_AN_EPOCH * sum(stage.epochs for stage in exponential(**SCHEDULE))
    torch_step = np.median(
        [r["seconds"] for r in step_rows if r["contender"] == "masked dense torch"]
    )
    about = {"steps": n_steps, "n": 1}
    return [
        row("schedule", "celsa", case, {"seconds": round(seconds, 1), **about}),
        row("schedule", "masked dense torch", case,
            {"seconds": round(float(torch_step) * n_steps, 1), **about}),
    ]  # fmt: skip


def main() -> None:
    """Measure everything, write one file, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="results/training-cost.json")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    start = time.perf_counter()
    rows = [{"section": "hardware", **line} for line in hardware(options.rounds)]
    rows += growth(options.rounds) + memory()
    step_rows = steps(options.rounds)
    rows += step_rows + crossover(max(2, options.rounds // 2)) + schedule(step_rows)
    rows += [{"section": "hardware", **line} for line in hardware(options.rounds)]
    manifest = {
        "kind": BENCHMARK,
        "what": "cost of training on synthetic interactions",
        "runs": new_run("compresso-recsys"),
        "seconds": round(time.perf_counter() - start),
    }
    print(save_result(Result(manifest, rows), options.out))
    for nnz in STEPS:
        times = {r["contender"]: r["seconds"] for r in step_rows if r["nnz"] == nnz}
        ours = times.pop("celsa")
        ratios = ", ".join(f"{name} {seconds / ours:.1f}×" for name, seconds in times.items())
        print(f"nnz {nnz}: {1e3 * ours:.1f} ms per step; {ratios}")


if __name__ == "__main__":
    main()
