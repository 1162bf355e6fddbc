"""The best items for one user through inverted lists of 3 bytes per nonzero, exact or nearly so.

Lists are added up, a block of items after the other so that the sums stay in the cache (Zobel &
Moffat 2006). Their values are coarse; what may be among the best is to be scored from its row. The
error of a sum is bounded, so that none of the best is lost. With less effort, lists of small
latents are left unread, as Seismic cuts its queries (Bruch et al. 2024).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import get_num_threads, njit, prange

from celsa_lib.kernels.forks import check_threads
from celsa_lib.kernels.simd import (
    CACHE_LINE,
    CACHED,
    INLINE,
    LANES,
    ZERO,
    first_lane,
    lanes_above,
    load,
    prefetch,
    splat,
    store,
)
from celsa_lib.retrieval.ranking import (
    BUFFER,
    as_key,
    keep_best,
    score_and_item,
    write_ranking,
)

CACHED_ITEMS = 32_768  # items whose scores are summed at a time: 128 KiB, within a core's own cache
MOST_STEPS = 127  # of the largest value of a latent: what a byte can count
STEP_ERROR = 0.51  # of a step: by how much a value may be missed, rounding of the step included
SUM_ERROR = MOST_STEPS * 2.0**-22  # of a term of a sum, in steps, at most
SPARE = 5  # candidates for each of the n best where not all lists are read
RowParts = tuple[np.ndarray, np.ndarray, np.ndarray]  # indptr, indices and values, as CSR has them


class ItemLists(NamedTuple):
    """Nonzeros of rows (items × width) by latent, then by block of CACHED_ITEMS items."""

    starts: np.ndarray  # width × (blocks + 1): where each block's nonzeros of a latent begin
    places: np.ndarray  # uint16: the item of each nonzero, counted in its block
    counts: np.ndarray  # int8: its value, in steps
    steps: np.ndarray  # float32, width
    longest: int  # nonzeros of a row


def item_lists(shape: tuple[int, int], rows_between: Callable[[int, int], RowParts]) -> ItemLists:
    """Lists of rows (items × width): 3 bytes per nonzero, 4 per latent and block.

    rows_between: the rows from one number to another; they are asked for twice, block by block.
    """
    n_items, width = shape
    firsts = range(0, n_items, CACHED_ITEMS)
    starts = np.zeros((width, len(firsts) + 1), np.int64)
    largest, longest = np.zeros(width, np.float32), 0
    for block, first in enumerate(firsts):
        rows = rows_between(first, min(first + CACHED_ITEMS, n_items))
        longest = max(longest, _count(starts, largest, block, *rows))
    n_all = _begin(starts)
    starts = starts.astype(np.int32) if n_all < 2**31 else starts
    stored = np.empty(n_all, np.uint16), np.empty(n_all, np.int8)
    lists = ItemLists(starts, *stored, largest / np.float32(MOST_STEPS), longest)
    for block, first in enumerate(firsts):
        rows = rows_between(first, min(first + CACHED_ITEMS, n_items))
        _fill(lists, starts[:, block].copy(), *rows)
    return lists


def parts_of(n_items: int, many: bool = False) -> int:
    """How many parts of the items are searched for one user; `many` users take threads anyway.

    Raises ProcessError where threads would be needed and are lost.
    """
    n_parts = max(1, min(get_num_threads(), n_items // CACHED_ITEMS))
    if n_parts > 1 or many:
        check_threads()
    return n_parts


@njit(cache=True)
def _count(starts, largest, block, indptr, columns, values):
    """Count a block's nonzeros of each latent, one place further on; the most of a row."""
    longest = 0
    for i in range(len(indptr) - 1):
        longest = max(longest, indptr[i + 1] - indptr[i])
        for k in range(indptr[i], indptr[i + 1]):
            starts[columns[k], block + 1] += 1
            largest[columns[k]] = max(largest[columns[k]], abs(values[k]))
    return longest


@njit(cache=True)
def _begin(starts):
    """Counts to where each block of a latent begins; how many nonzeros there are."""
    at = 0
    for c in range(len(starts)):
        starts[c, 0] = at
        for block in range(1, starts.shape[1]):
            at += starts[c, block]
            starts[c, block] = at
    return at


@njit(cache=True)
def _fill(lists, at, indptr, columns, values):
    """Write a block's nonzeros of each latent from `at` on, which moves."""
    for i in range(len(indptr) - 1):
        for k in range(indptr[i], indptr[i + 1]):
            c = columns[k]
            step = lists.steps[c]
            lists.places[at[c]] = i
            lists.counts[at[c]] = round(values[k] / step) if step > ZERO else 0
            at[c] += 1


@njit(cache=True)
def may_be_best(n_parts, n_items, n, lists, question, seen, changes, hidden, effort):
    """(items, additions): those who may be among the `n` best for one user, sought in `n_parts`.

    question: (touched latents, all latents); changes: what is added to the scores of `seen`, who
    are among the items if they may be recommended. The others' additions are 0.
    """
    touched, latents = question
    blocks, kept = lists.starts.shape[1] - 1, n
    margin = _margin(touched, latents, lists)
    if effort < 1:
        touched = _largest(touched, latents, effort)
        kept, margin = SPARE * kept, 0.0
    size = min(-(-blocks // n_parts) * CACHED_ITEMS, n_items)
    keys, counts = np.empty((n_parts, size), np.int64), np.zeros(n_parts, np.int64)
    if n_parts == 1:
        counts[0] = _candidates(
            0, blocks, n_items, lists, touched, latents, seen, hidden, kept, margin, keys[0]
        )
    else:
        _candidates_in_parts(
            n_items, lists, touched, latents, seen, hidden, kept, margin, keys, counts
        )
    count, found = 0, np.empty(counts.sum() + len(seen), np.int64)
    for part in range(n_parts):
        for k in range(counts[part]):
            found[count] = keys[part, k]
            count += 1
    count = _without_hope(found, count, kept, margin)[0]
    for k in range(count):
        found[k] = score_and_item(found[k])[1]
    additions = np.zeros(len(found), np.float32)
    for s in range(len(seen)):  # in no list of candidates
        if changes[s] > -np.inf and not (len(hidden) and hidden[seen[s]]):
            found[count], additions[count] = seen[s], changes[s]
            count += 1
    return found[:count], additions[:count]


@njit(cache=True)
def rank_found(found, scores, items, values):
    """Fill `items` and `values` with the best of the items `found`, by their scores."""
    keys = np.empty(len(found), np.int64)
    for k in range(len(found)):
        keys[k] = as_key(scores[k], found[k])
    write_ranking(keys, items, values)


@njit(cache=True)
def _margin(touched, latents, lists):
    """By how much a sum of steps may miss a row's product with `latents`, rounding included.

    A row has no more latents than the longest, and at worst those that count most.
    """
    most = _descending(np.abs(latents[touched]) * lists.steps[touched])[: lists.longest]
    total = 0.0
    for key in most:
        total += score_and_item(key)[0]
    return total * (STEP_ERROR + SUM_ERROR * (lists.longest + 4))


@njit(cache=True)
def _largest(touched, latents, effort):
    """The largest of the touched latents, with `effort` of the sum of all squares."""
    keys, sum_of_all = _descending(np.abs(latents[touched])), 0.0
    for key in keys:
        sum_of_all += np.float64(score_and_item(key)[0]) ** 2
    found, count, sum_of_found = np.empty_like(touched), 0, 0.0
    for key in keys:
        size, place = score_and_item(key)
        found[count], count = touched[place], count + 1
        sum_of_found += np.float64(size) ** 2
        if sum_of_found >= effort * sum_of_all:
            break
    return found[:count]


@njit(cache=True)
def _descending(sizes):
    """Keys of `sizes` and their places, the largest first."""
    keys = np.empty(len(sizes), np.int64)
    for k in range(len(sizes)):
        keys[k] = as_key(sizes[k], k)
    return np.sort(keys)[::-1]


@njit(parallel=True, cache=True)
def _candidates_in_parts(
    n_items, lists, touched, latents, seen, hidden, kept, margin, keys, counts
):  # fmt: skip
    n_parts, blocks = len(keys), lists.starts.shape[1] - 1
    for part in prange(n_parts):
        first, last = part * blocks // n_parts, (part + 1) * blocks // n_parts
        counts[part] = _candidates(
            first, last, n_items, lists, touched, latents, seen, hidden, kept, margin, keys[part]
        )


@njit(**CACHED)
def _candidates(
    first, last, n_items, lists, touched, latents, seen, hidden, kept, margin, keys
):  # fmt: skip
    """What may be among the `kept` best of blocks `first` to `last` into `keys`, and how many.

    `keys` has room for every item of the blocks, and is touched only as far as it is filled.
    """
    scores = np.zeros(((min(CACHED_ITEMS, n_items) + LANES - 1) // LANES, LANES), np.float32)
    flat = scores.reshape(-1)
    count, limit, floor = 0, BUFFER * kept, np.float32(-np.inf)
    for block in range(first, last):
        start = block * CACHED_ITEMS
        size = min(CACHED_ITEMS, n_items - start)
        _add_block(lists, block, touched, latents, flat)
        for item in seen:
            if start <= item < start + size:
                flat[item - start] = -np.inf
        for place in range(size if len(hidden) else 0):
            if hidden[start + place]:
                flat[place] = -np.inf
        flat[size:] = -np.inf
        for row in range(len(scores)):
            lanes = lanes_above(load(scores, row), splat(floor))
            while lanes:
                lane = first_lane(lanes)
                lanes &= lanes - np.uint32(1)
                if scores[row, lane] > floor:
                    keys[count] = as_key(scores[row, lane], start + row * LANES + lane)
                    count += 1
                    if count == limit:
                        count, floor = _without_hope(keys, count, kept, margin)
                        limit = max(BUFFER * kept, 2 * count)
            store(scores, row, splat(ZERO))
    return count


@njit(**INLINE)
def _add_block(lists, block, touched, latents, flat):
    """Add the touched latents' nonzeros of one block to its scores.

    Lists are short and far from each other: the next one is fetched while one is added.
    """
    starts, places, counts = lists.starts, lists.places, lists.counts
    for k in range(len(touched)):
        if k + 1 < len(touched):
            c = touched[k + 1]
            first, last = starts[c, block], starts[c, block + 1]
            for at in range(first, last + CACHE_LINE // 2 - 1, CACHE_LINE // 2):
                prefetch(places, at)
            for at in range(first, last + CACHE_LINE - 1, CACHE_LINE):
                prefetch(counts, at)
        c = touched[k]
        x = latents[c] * lists.steps[c]
        for j in range(np.uint64(starts[c, block]), np.uint64(starts[c, block + 1])):
            flat[np.uint64(places[j])] += x * np.float32(counts[j])


@njit(cache=True)
def _without_hope(keys, count, kept, margin):
    """Drop what cannot be among the `kept` best: (how many stay in front, the score to beat)."""
    if count <= kept:
        return count, np.float32(-np.inf)
    floor = np.float32(keep_best(keys, count, kept) - 2 * margin)
    stay = kept
    for k in range(kept, count):
        if score_and_item(keys[k])[0] > floor:
            keys[k], keys[stay] = keys[stay], keys[k]
            stay += 1
    return stay, floor
