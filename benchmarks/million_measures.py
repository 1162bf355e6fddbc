"""What is measured of one contender at one size, in this process: memory is its own, without torch.

Usage: python benchmarks/million_measures.py REQUEST   (as million_processes.py asks it)
The request is JSON: action, name, folder, n_items, address, settings. Each line of the answer too.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from million_contenders import CODED, CONTENDERS, KEPT, TOP
from million_source import Source, place_of
from numba import get_num_threads
from processes import timed

import celsa_lib as cl
from celsa_lib.retrieval import engines

CHECKED, WARM = 20, 5  # users: whose answers are judged at least, and asked before time is taken
ENOUGH_RECALL = 0.99  # after which no more effort is tried
TIED = 1e-5  # of the largest score
SMALL = 2_000  # items of a first try, so that libraries are loaded before memory is looked at


def resident_mib() -> float:
    """Memory of this process, mapped files included."""
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmRSS:") + 1]) / 2**10


def asked(contender, n_users: int, seconds: float) -> tuple[dict, list[np.ndarray]]:
    """Seconds that one user waits and users asked; the answers to the first CHECKED of them."""
    times, answers, start = [], [], time.perf_counter()
    for number in range(WARM):
        if time.perf_counter() - start < seconds:
            contender.ask(number % n_users)
    start = time.perf_counter()
    for number in range(n_users):
        if number >= CHECKED and time.perf_counter() - start > seconds:
            break
        begun = time.perf_counter()
        answer = contender.ask(number)
        times.append(time.perf_counter() - begun)
        if number < CHECKED:
            answers.append(answer)
    p50, p99 = np.quantile(times, [0.5, 0.99])
    found = {"p50": float(f"{p50:.4g}"), "p99": float(f"{p99:.4g}"), "asked": len(times)}
    return found, answers


def recall(scores: np.ndarray, contender, answers: list[np.ndarray]) -> float:
    """Share of the TOP best by `scores` (users × items) that answers have, ties counted."""
    shares = []
    for number, answer in enumerate(answers):
        line = scores[number].copy()
        line[contender.users[number].indices] = -np.inf
        top = min(TOP, np.isfinite(line).sum())
        least = np.partition(line, -top)[-top] - TIED * np.abs(line[np.isfinite(line)]).max()
        shares.append((line[np.unique(answer)] >= least).sum() / top)
    return round(float(np.mean(shares)), 4)


def many(contender, n_users: int, p50: float, seconds: float) -> float:
    """Users a second, many at a time."""
    count = int(np.clip(seconds / p50, get_num_threads(), n_users))
    numbers = list(range(count))
    contender.ask_many(numbers[: contender.first_many])
    return float(f"{count / timed(partial(contender.ask_many, numbers)):.4g}")


def measured(name: str, source: Source, settings: dict) -> dict:
    """What is stored of a contender, in this process."""
    if name not in (*KEPT, *CODED) and source.n_items > SMALL:  # those take long to make
        CONTENDERS[name](Source(source.folder, SMALL)).ask(0)
    before, start = resident_mib(), time.perf_counter()
    contender = CONTENDERS[name](source)
    row = {"build_seconds": float(f"{time.perf_counter() - start:.4g}")}
    contender.ask(0)  # what is made when it is first wanted
    row |= {"memory_mib": round(resident_mib() - before, 1)} | contender.kept_mib()
    points, scores = [], None
    for effort in contender.efforts or (None,):
        if effort is not None:
            contender.search_harder(effort)
        found, answers = asked(contender, settings["users"], settings["asking"])
        scores = contender.true_scores(len(answers)) if scores is None else scores
        share = {"recall": recall(scores, contender, answers)}
        points.append(({} if effort is None else {"effort": effort}) | found | share)
        if points[-1]["recall"] >= ENOUGH_RECALL:
            break
    rate = many(contender, settings["users"], points[-1]["p50"], settings["asking"])
    row |= points[-1] | {"points": points, "users_per_second": rate}
    return row | ({"held": contender.held()} if name in KEPT else {})


def fill(say: Callable, name: str, source: Source) -> dict:
    """Load all rows, and say how many are there after each batch."""
    engine, rows = engines.ENGINES[name].engine_class(), cl.ItemEmbeddings(source.rows)
    add = engine.add

    def add_and_say(self, batch):
        say({"begun": batch.start})
        add(self, batch)
        say({"there": batch.start + batch.rows.shape[0]})

    engine.add = add_and_say
    start = time.perf_counter()
    say({"begun": 0})
    written = engines.load_rows(name, rows, **place_of(source, name), progress=False)
    return {"written": written, "seconds": time.perf_counter() - start}


def main() -> None:
    """Answer one request."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what engines print is no answer

    def say(message: dict) -> None:
        print(json.dumps(message), file=out, flush=True)

    asked_for = json.loads(sys.argv[1])
    source = Source(Path(asked_for["folder"]), asked_for["n_items"], asked_for["address"])
    name = asked_for["name"]
    try:
        if asked_for["action"] == "fill":
            say(fill(say, name, source))
        else:
            say(measured(name, source, asked_for["settings"]))
    except Exception as error:  # each engine has its own
        say({"said": f"{type(error).__name__}: {error}"[:200]})
        sys.exit(1)


if __name__ == "__main__":
    main()
