"""What a GPU can do at most: copies in its memory, reads from its cache, products."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
import triton
import triton.language as tl

GPU = torch.device("cuda")
COPIED = 2**32  # bytes, far beyond any cache; less where the memory is small
READ_TIMES = 256  # so that a launch takes about a thousand times as long as to begin it
BLOCK = 1_024  # numbers that a program reads at once
SIDE = 8_192  # of the matrices that are multiplied


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


@triton.jit
def read_again(source, sums, n_blocks, times, BLOCK: tl.constexpr):
    """Sums of `times` blocks of `source` for each program, past the cache of its own processor.

    The blocks of a program follow one another with a gap, so that none is read twice in a row.
    """
    program = tl.program_id(0)
    total = tl.zeros((BLOCK,), tl.float32)
    for n in range(times):
        block = (program + n * 97) % n_blocks
        total += tl.load(source + block * BLOCK + tl.arange(0, BLOCK), cache_modifier=".cg")
    tl.store(sums + program, tl.sum(total))


def limits() -> Iterator[dict]:
    """A row for each limit; rate: GB/s, of products GFLOP/s."""
    about = torch.cuda.get_device_properties(GPU)
    yield _row("copy", *copied(min(COPIED, about.total_memory // 8)))
    yield _row("read in L2", *read_cached(about.L2_cache_size // 3))
    for precision in ("float32", "tf32", "bfloat16"):
        kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
        left = torch.randn(SIDE, SIDE, device=GPU, dtype=kind)
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        times = per_call(lambda m=left: m @ m, 5)
        torch.backends.cuda.matmul.allow_tf32 = False
        yield _row(f"product {precision}", times, 2 * SIDE**3)


def copied(n_bytes: int) -> tuple[dict, int]:
    """(times of a copy, bytes that it reads and writes)."""
    source = torch.zeros(n_bytes, dtype=torch.uint8, device=GPU)
    target = torch.empty_like(source)
    return per_call(lambda: target.copy_(source), 10), 2 * n_bytes


def read_cached(n_bytes: int) -> tuple[dict, int]:
    """(times of reading n_bytes READ_TIMES times in one launch, bytes read)."""
    n_blocks = n_bytes // 4 // BLOCK
    source = torch.ones(n_blocks * BLOCK, device=GPU)
    sums = torch.empty(n_blocks, device=GPU)

    def action() -> None:
        read_again[(n_blocks,)](source, sums, n_blocks, READ_TIMES, BLOCK=BLOCK, num_warps=4)

    return per_call(action, 10), 4 * n_blocks * BLOCK * READ_TIMES


def _row(what: str, times: dict, work: int) -> dict:
    return {"section": "limits", "what": what, "rate": work / times["seconds"] / 1e9, **times}
