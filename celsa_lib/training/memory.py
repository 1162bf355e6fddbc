"""What training needs of a GPU's memory, counted for all stages before the first begins.

Counted is what lies there at once: rows with their moments, a stage's own tensors, rows that later
stages start from, and the batches of a window of an epoch with what sorting them takes. Where that
is too much, fewer batches are cut at once, and then a batch is worked off in parts: its gradient is
the sum of those of its users.
"""

import logging
import os
import re
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_matrix

from celsa_lib.errors import MOST, ConfigError, TrainingError, plainly
from celsa_lib.kernels.room import is_out_of_memory
from celsa_lib.training.batches import most_interactions
from celsa_lib.training.options import Stage, TrainingOptions
from celsa_lib.training.plan import Plan

log = logging.getLogger(__name__)

WINDOW = 2**26  # steps × items whose batches are sorted at once, at most
USERS = 256  # of a tile in the k-sparse step, at most
WARP = 32  # users side by side that no part of a batch is smaller than
RESERVE = 2**26  # bytes that libraries take: the workspace of products
# Density of rows up to which loops over nonzeros are faster than products: page "Training cost".
DENSITY_OF_DENSE = {"float32": 0.1, "tf32": 0.024, "bfloat16": 0.018}


@dataclass(frozen=True)
class Sizes:
    """What the bytes depend on; `nonzeros`: of rows that are not even, None: nnz per item.

    triton: whether steps are its kernels. parts: in how many a batch is worked off.
    """

    X: csr_matrix
    width: int
    options: TrainingOptions
    triton: bool
    nonzeros: int | None = None
    parts: int = 1

    @property
    def lanes(self) -> int:
        """Users of a part of a batch, filled up."""
        return lanes_of(self.X, self.options, self.parts)

    def of_rows(self, stage: Stage) -> int:
        """Nonzeros of all rows in a stage."""
        return self.nonzeros or self.X.shape[1] * min(stage.nnz, self.width)


class Cut(NamedTuple):
    """window: steps of an epoch whose batches are cut at once; parts: of each of these batches."""

    window: int
    parts: int


def users_of_part(X: csr_matrix, options: TrainingOptions, parts: int = 1) -> int:
    """Users of a batch that are worked on at once, where it is divided into `parts`."""
    n_users = int(np.count_nonzero(np.diff(X.indptr)))
    return -(-min(options.batch_size, n_users) // parts)


def lanes_of(X: csr_matrix, options: TrainingOptions, parts: int = 1) -> int:
    """`users_of_part`, filled up to whole warps."""
    return WARP * -(-users_of_part(X, options, parts) // WARP)


def longest_window(X: csr_matrix, options: TrainingOptions) -> int:
    """Steps of an epoch whose batches are cut at once, where the memory allows it."""
    return min(options.steps_per_epoch(X), max(1, WINDOW // X.shape[1]))


def are_sampled(X: csr_matrix, options: TrainingOptions) -> bool:
    """Whether batches are scored on some of the items alone."""
    return options.max_outputs is not None and options.max_outputs < X.shape[1]


def users_of_tile(lanes: int) -> int:
    """Users that a program of the k-sparse step scores: a power of two that divides `lanes`."""
    return min(USERS, lanes & -lanes)


def takes_loops(nnz: int, ragged: bool, width: int, precision: str) -> bool:
    """Whether a stage's rows are so sparse that loops over nonzeros are faster than products."""
    return ragged or nnz <= DENSITY_OF_DENSE[precision] * width


def bytes_of_stage(stage: Stage, sizes: Sizes) -> int:
    """Bytes of a stage's rows, moments and steps; about, where torch's products make them."""
    n_items, width, options = sizes.X.shape[1], sizes.width, sizes.options
    lanes, summed = sizes.lanes, sizes.parts > 1  # gradients of parts
    nonzeros, whole, mean = sizes.of_rows(stage), n_items * width, bool(options.weight_averaging)
    if stage.dynamic or not sizes.triton:  # masks, gradients, rows written out, what is passed on
        return 4 * ((12 + summed) * whole + lanes * (3 * width + 3 * n_items))
    if takes_loops(stage.nnz, sizes.nonzeros is not None, width, options.precision):
        shares = lanes // users_of_tile(lanes)  # of the gradient of each nonzero
        # The nonzeros of each latent are sorted once.
        per_nonzero = 4 * (7 + mean + shares + 2 * summed) + 32
        return nonzeros * per_nonzero + lanes * (12 * width + 5 * n_items) + 4 * summed * n_items
    low = 2 * (options.precision == "bfloat16")
    of_rows = whole * (4 * (4 + mean + summed) + low)
    if nonzeros < whole:  # written out, with a mask
        of_rows += whole + (24 + 4 * mean) * nonzeros  # and their places, once more as long ones
    return of_rows + lanes * (width * (8 + low) + n_items * (4 + 2 * low))


def bytes_kept(plan: Plan, node: int, sizes: Sizes) -> int:
    """Bytes of rows that lie there during `node` because it or later ones start from them."""
    parts = 2 + bool(sizes.options.weight_averaging)
    kept = plan.needed_after(node - 1)
    return sum(4 * parts * sizes.of_rows(plan.nodes[n].stage) for n in kept)


def bytes_of_window(window: int, sizes: Sizes) -> int:
    """Bytes of X, and of the batches of `window` steps with what sorting them takes."""
    n_items = sizes.X.shape[1]
    if not sizes.triton:
        return 0
    users = window * sizes.options.batch_size
    interactions = most_interactions(sizes.X, sizes.options.length_exponent, users)
    sampled = are_sampled(sizes.X, sizes.options)
    of_X = 4 * (sizes.X.nnz + sizes.X.shape[0] + 1)
    of_part = (24 + 4 * sampled) * n_items + 4 * sizes.lanes
    return of_X + 80 * interactions + window * sizes.parts * of_part


def memory_of_machine() -> int:
    """Bytes of memory that this machine has; 0 where the system does not say."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return 0
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_fits(n_rows: int, device: torch.device, **named: int) -> None:
    """Raise ConfigError for a number of columns with which `n_rows` full rows are too large.

    Their places have 32 bits; on a CPU they lie in memory with a gradient and two moments.
    """
    ((name, width),) = named.items()
    most, memory, why = MOST // n_rows, memory_of_machine(), "no array has more places"
    if device.type == "cpu" and 0 < memory // (16 * n_rows) < most:
        most = memory // (16 * n_rows)
        why = f"this machine has {memory / 2**30:.1f} GiB of memory"
    if width > most:
        raise ConfigError(
            f"{name} is {plainly(width)}, and may be {most:,} at most: it goes with {n_rows:,} "
            f"rows, and {why}"
        )


def free_memory(device: torch.device) -> tuple[int, int] | None:
    """(free, all) bytes of a GPU; None on a CPU, whose memory is not ours to count."""
    if device.type != "cuda":
        return None
    torch.cuda.empty_cache()
    return torch.cuda.mem_get_info(device)


@contextmanager
def shortage_named(device: torch.device):
    """Raise TrainingError, with the bytes, where torch finds no room for something on `device`."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        asked = re.search(r"allocate ([\d.]+ [KMGT]?iB)", str(error))
        memory, left = free_memory(device), ""
        if memory is not None:
            left = f", and {memory[0] / 1e9:.2f} of its {memory[1] / 1e9:.2f} GB are free"
        raise TrainingError(
            f"the GPU has no room for another {asked[1] if asked else 'array'}{left}; end what "
            'else takes its memory, lower width or batch_size, or take device "cpu"'
        ) from error


def cut_that_fits(
    plan: Plan, first: int, sizes: Sizes, device: torch.device, held: Iterable[torch.Tensor]
) -> Cut:
    """How batches are cut to have room beside the largest stage from node `first` on.

    held: tensors of those counted that lie there already. Raises TrainingError where not even the
    smallest part of one batch has room, with the bytes needed.
    """
    longest, memory = longest_window(sizes.X, sizes.options), free_memory(device)
    if memory is None or first == len(plan.nodes):
        return Cut(longest, 1)
    free = memory[0] + sum(tensor.untyped_storage().nbytes() for tensor in held)
    while True:
        window, (fixed, nnz) = longest, largest_of(plan, first, sizes)
        while window > 1 and fixed + bytes_of_window(window, sizes) > free:
            window //= 2
        needed = fixed + bytes_of_window(window, sizes)
        if needed <= free:
            if sizes.parts > 1:
                log.info("the GPU's memory is short: batches in %d parts", sizes.parts)
            return Cut(window, sizes.parts)
        if sizes.lanes == WARP:
            break
        sizes = replace(sizes, parts=2 * sizes.parts)
    raise TrainingError(
        f"training needs {needed / 1e9:.2f} GB on the GPU, at nnz {nnz} and with {sizes.lanes} "
        f"users at once, and {free / 1e9:.2f} of its {memory[1] / 1e9:.2f} GB are free; lower "
        f'nnz or width (now {sizes.width}), or take device "cpu"'
    )


def largest_of(plan: Plan, first: int, sizes: Sizes) -> tuple[int, int]:
    """(bytes, nnz) of the stage from node `first` on that takes most, with what is kept then."""
    bytes_of = {
        n: bytes_of_stage(plan.nodes[n].stage, sizes) + bytes_kept(plan, n, sizes)
        for n in range(first, len(plan.nodes))
    }
    largest = max(bytes_of, key=bytes_of.get)
    return RESERVE + bytes_of[largest], plan.nodes[largest].stage.nnz
