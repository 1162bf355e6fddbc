"""Damaged files, given to every reader: each is refused by a clear error, or read as what it holds.

Usage: python benchmarks/fuzz.py [--out results/fuzz.json] [--inputs 1000]
"""

import argparse
import logging
import os
import time
import warnings
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from fuzz_faults import mutated
from fuzz_formats import FORMATS, Format

from celsa_lib.errors import CelsaError
from celsa_lib.experiments.manifest import new_run
from celsa_lib.results import BENCHMARK, Result, save_result

OUTCOMES = REFUSED, AS_BEFORE, OTHERWISE = "refused", "as before", "as other content"


def fuzz(
    form: Format, inputs: int, seed: int = 0, resealed: bool = False
) -> tuple[Counter, list[str]]:
    """How many damaged inputs came to each of OUTCOMES, and what was neither, in words.

    resealed: archives have the checksum of what they hold, so that other content may be read.
    """
    counts, faults = Counter(), []
    rng = np.random.default_rng(seed)
    with TemporaryDirectory() as folder:
        path = form.write(Path(folder))
        whole = path.read_bytes()
        expected = form.read(path)
        for number in range(inputs):
            content = mutated(whole, rng, resealed)
            path.write_bytes(content)
            try:
                outcome = AS_BEFORE if _same(form.read(path), expected) else OTHERWISE
            except CelsaError:
                outcome = REFUSED
            except Exception as error:
                faults.append(f"input {number}: {type(error).__name__}: {error}"[:200])
                continue
            if outcome == OTHERWISE and form.verified and not resealed:
                faults.append(f"input {number}: other content was read")
                continue
            counts[outcome] += 1
    return counts, faults


def _same(found, expected) -> bool:
    if isinstance(expected, np.ndarray):
        return isinstance(found, np.ndarray) and np.array_equal(found, expected)
    if isinstance(expected, tuple | list):
        same = isinstance(found, tuple | list) and len(found) == len(expected)
        return same and all(map(_same, found, expected))
    if isinstance(expected, dict):
        same = isinstance(found, dict) and found.keys() == expected.keys()
        return same and all(_same(found[name], value) for name, value in expected.items())
    return bool(found == expected)


def main() -> None:
    """Fuzz every format, write one file, print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="results/fuzz.json")
    parser.add_argument("--inputs", type=int, default=1000)
    options = parser.parse_args()
    os.environ["CELSA_OFFLINE"] = "1"
    logging.disable()  # readers warn of what is odd in thousands of files
    warnings.simplefilter("ignore")
    start, rows = time.perf_counter(), []
    for name, form in FORMATS.items():
        counts, faults = fuzz(form, options.inputs)
        found = {outcome: counts[outcome] for outcome in OUTCOMES} | {"faults": len(faults)}
        rows.append({"section": "fuzz", "format": name, "inputs": options.inputs} | found)
        print(rows[-1], *faults[:3], sep="\n  ", flush=True)
    manifest = {
        "kind": BENCHMARK,
        "what": "damaged files given to every reader",
        "runs": new_run(),
        "seconds": round(time.perf_counter() - start),
    }
    print(save_result(Result(manifest, rows), options.out))


if __name__ == "__main__":
    main()
