"""Why width costs anything: the time to read a nonzero's latents as they outgrow a cache.

Usage: python benchmarks/cache_reads.py [--out results/cache-reads.json] [--rounds 9]
The reads of the decoder alone: for every nonzero a row of latents, of 32 users at a time, in the
order of random rows.
"""

import argparse
import time
from functools import partial
from pathlib import Path

from numba import get_num_threads, njit, prange
from processes import summary, timed
from workload import Case

from celsa_lib.experiments.manifest import new_run
from celsa_lib.kernels.simd import LANES, PARALLEL, ZERO, add_row, aligned, splat, store
from celsa_lib.results import BENCHMARK, Result, save_result

WIDTHS = (512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768)
NNZ = 32


@njit(**PARALLEL)
def read(values, cols, E, out):
    """out[t] = the sum of the latents of every nonzero, once in each thread."""
    for t in prange(len(E)):
        total = splat(ZERO)
        for i in range(len(values)):
            total = add_row(values[i], cols[i], 0, len(values[i]), E[t], total)
        store(out[t], 0, total)


def cache_kib(level: int) -> int | None:
    """Size of the first core's cache, None where the system does not say."""
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        if (index / "level").read_text().strip() == str(level):
            return int((index / "size").read_text().strip().removesuffix("K"))
    return None


def main() -> None:
    """Measure, write one file, print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="results/cache-reads.json")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    start, rows, threads = time.perf_counter(), [], get_num_threads()
    for width in WIDTHS:
        made = Case(nnz=NNZ, width=width).rows()
        values, cols = made.values.numpy(), made.cols.numpy()
        E, out = aligned((threads, width, LANES)), aligned((threads, 1, LANES))
        run = partial(read, values, cols, E, out)
        run()
        times = summary([timed(run) for _ in range(options.rounds)])
        rows.append({
            "section": "reads", "width": width, "latents_mib": width * LANES * 4 / 2**20,
            "ns": round(1e9 * times["seconds"] / cols.size, 3), **times,
        })  # fmt: skip
        print(rows[-1], flush=True)
    manifest = {
        "kind": BENCHMARK,
        "what": f"reading the latents of {LANES} users for every nonzero",
        "runs": new_run(l2_kib=cache_kib(2)),
        "seconds": round(time.perf_counter() - start),
    }
    print(save_result(Result(manifest, rows), options.out))


if __name__ == "__main__":
    main()
