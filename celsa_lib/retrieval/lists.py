"""The best items for one user through inverted lists of 4 bytes per nonzero, exact or nearly so.

Lists are added up, a block of items after the other so that the sums stay in the cache (Zobel &
Moffat 2006). Their values are coarse; what may be among the best is scored from its row. The error
of a sum is bounded by Cauchy-Schwarz, so that none of the best is lost. With less effort, lists of
small latents are left unread, as Seismic cuts its queries (Bruch et al. 2024).
"""

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from scipy.sparse import csr_matrix

from celsa_lib.kernels.compiled import compiled
from celsa_lib.kernels.simd import (
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
PLACE = 0xFFFF  # bits of an entry that say where in its block the item is
COARSE = 1.01 * 2**-8  # of a value: by how much its entry may be wrong
ENTRIES_OF_A_LINE = 16  # of the cache
SPARE = 5  # candidates for each of the n best where not all lists are read


class ItemLists(NamedTuple):
    """Nonzeros of rows (items × width) by latent, then by block of CACHED_ITEMS items.

    An entry is a float32 that is close to its value and whose lower bits are its item's place.
    """

    starts: np.ndarray  # width × (blocks + 1): where each block's entries of a latent begin
    entries: np.ndarray  # float32
    longest: int  # nonzeros of a row
    norm: float  # the largest of a row


def item_lists(matrix: csr_matrix) -> ItemLists:
    """Lists of the rows `matrix` (items × width): 4 bytes per nonzero, 4 per latent and block."""
    n_items, width = matrix.shape
    columns = matrix.tocsc()
    blocks = -(-n_items // CACHED_ITEMS)
    starts = np.empty((width, blocks + 1), columns.indptr.dtype)
    _divide(columns.indptr, columns.indices, starts)
    entries = columns.data.astype(np.float32)
    _mark(columns.indices, entries)
    longest = int(np.diff(matrix.indptr).max(initial=0))
    return ItemLists(starts, entries, longest, _largest_norm(matrix.indptr, matrix.data))


@compiled()
def _divide(column_start, rows, starts):
    for c in range(len(starts)):
        at = column_start[c]
        for block in range(starts.shape[1] - 1):
            starts[c, block] = at
            while at < column_start[c + 1] and rows[at] < (block + 1) * CACHED_ITEMS:
                at += 1
        starts[c, -1] = at


@compiled()
def _mark(rows, entries):
    """Move each value to the nearest float32 whose lower bits are its item's place in the block."""
    bits = entries.view(np.int32)
    for k in range(len(bits)):
        size, place = np.int64(bits[k] & 0x7FFFFFFF), np.int64(rows[k] % CACHED_ITEMS)
        size = max((size - place + PLACE // 2) >> 16, 0) << 16 | place
        bits[k] = size if bits[k] >= 0 else size - 0x80000000


@compiled()
def _largest_norm(row_start, values):
    largest = 0.0
    for i in range(len(row_start) - 1):
        square = 0.0
        for k in range(row_start[i], row_start[i + 1]):
            square += np.float64(values[k]) ** 2
        largest = max(largest, square)
    return np.sqrt(largest)


@compiled()
def rank_one(n_parts, rows, lists, question, seen, changes, hidden, effort, items, values):
    """Fill `items` and `values` with the best for one user's latents, found in `n_parts`.

    question: (touched latents, all latents); changes: what is added to the scores of `seen`.
    """
    touched, latents = question
    n_items, blocks = len(rows[0]) - 1, lists.starts.shape[1] - 1
    kept, margin = len(items), _margin(touched, latents, lists)
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
        found[count : count + counts[part]] = keys[part, : counts[part]]
        count += counts[part]
    count = _without_hope(found, count, kept, margin)[0]
    for k in range(count):
        item = score_and_item(found[k])[1]
        found[k] = as_key(_score(rows, item, latents), item)
    for s in range(len(seen)):  # scored here alone
        if changes[s] > -np.inf and not (len(hidden) and hidden[seen[s]]):
            found[count] = as_key(_score(rows, seen[s], latents) + changes[s], seen[s])
            count += 1
    write_ranking(found[:count], items, values)


@compiled()
def _margin(touched, latents, lists):
    """By how much a sum of entries may miss a row's product with `latents`, rounding included."""
    largest = np.sort(np.abs(latents[touched]))[::-1][: lists.longest]
    square = 0.0
    for x in largest:
        square += np.float64(x) ** 2
    return np.sqrt(square) * lists.norm * (COARSE + lists.longest * 2.0**-22)


@compiled()
def _largest(touched, latents, effort):
    """The largest of the touched latents, with `effort` of the sum of all squares."""
    order = touched[np.argsort(-np.abs(latents[touched]))]
    sums = np.cumsum(latents[order].astype(np.float64) ** 2)
    return order[: np.searchsorted(sums, effort * sums[-1]) + 1] if len(order) else order


@compiled()
def _score(rows, item, latents):
    row_start, cols, data = rows
    total = ZERO
    for k in range(row_start[item], row_start[item + 1]):
        total += data[k] * latents[cols[k]]
    return total


@compiled(parallel=True)
def _candidates_in_parts(
    n_items, lists, touched, latents, seen, hidden, kept, margin, keys, counts
):  # fmt: skip
    n_parts, blocks = len(keys), lists.starts.shape[1] - 1
    for part in prange(n_parts):
        first, last = part * blocks // n_parts, (part + 1) * blocks // n_parts
        counts[part] = _candidates(
            first, last, n_items, lists, touched, latents, seen, hidden, kept, margin, keys[part]
        )


@compiled(**CACHED)
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
    """Add the touched latents' entries of one block to its scores.

    Lists are short and far from each other: the next one is fetched while one is added.
    """
    starts, entries = lists.starts, lists.entries
    places = entries.view(np.uint32)
    for k in range(len(touched)):
        if k + 1 < len(touched):
            c = touched[k + 1]
            for at in range(starts[c, block], starts[c, block + 1] + 15, ENTRIES_OF_A_LINE):
                prefetch(entries, at)
        c = touched[k]
        x = latents[c]
        for j in range(np.uint64(starts[c, block]), np.uint64(starts[c, block + 1])):
            flat[np.uint64(places[j] & np.uint32(PLACE))] += x * entries[j]


@compiled()
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
