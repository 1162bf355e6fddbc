"""Top-n from sparse rows (Section 2, inference): two compressed copies, no score kept but the best.

Many users: LANES at a time, their latents against every row (decode by rows). Few users: one at a
time through the columns that the user's latents touch, O(history · nnz) and what those columns
hold, a block of items after the other, so that the scores that are added to stay in the cache.
"""

import numpy as np
from numba import get_num_threads, njit, prange
from scipy.sparse import csr_matrix

from celsa_lib.kernels.forks import check_threads
from celsa_lib.kernels.simd import (
    CACHED,
    LANES,
    PARALLEL,
    ZERO,
    add_row,
    aligned,
    first_lane,
    lanes_above,
    load,
    splat,
    store,
)
from celsa_lib.retrieval.ranking import (
    ALL_SHOWN,
    BUFFER,
    as_key,
    empty_ranking,
    keep_best,
    write_ranking,
)

CACHED_ITEMS = 32_768  # items whose scores are summed at a time: 128 KiB, within a core's own cache


class SparseIndex:
    """Rows A (items × width, CSR float32) stored by rows, to encode, and by columns, to decode."""

    def __init__(
        self,
        matrix: csr_matrix,
        encoder: np.ndarray | None = None,
        own: np.ndarray | None = None,
    ):
        """Compress `matrix` twice: about 16 bytes per nonzero in all.

        encoder: values by which the same nonzeros encode a user; own: what a seen item adds to its
        own score, items. Without them the rows encode too, and have unit norm.
        """
        columns = matrix.tocsc()
        self.shape = matrix.shape
        self.rows = matrix.indptr, matrix.indices, matrix.data
        self.encoder = matrix.data if encoder is None else encoder
        self.own = np.ones(matrix.shape[0], np.float32) if own is None else own
        self.columns = columns.indptr, columns.indices, columns.data

    def recommend(
        self, X: csr_matrix, n: int, without_seen: bool, hidden: np.ndarray = ALL_SHOWN
    ) -> tuple[np.ndarray, np.ndarray]:
        """(indices, scores) of the n largest of x·A·Aᵀ − x; as `top_n` of all the scores.

        hidden: see `hidden_items`.
        """
        n_items, width = self.shape
        n_parts = self._parts(many=X.shape[0] >= LANES)
        ranking = empty_ranking(X.shape[0], min(n, n_items))
        histories = X.indptr, X.indices, X.data.astype(np.float32), self.encoder, self.own
        if X.shape[0] < LANES:
            _one_by_one(
                n_parts, *histories, *self.rows, self.columns, width, without_seen, hidden, *ranking
            )
        else:
            E = aligned((get_num_threads(), width, LANES))
            _by_blocks(*histories, *self.rows, E, without_seen, hidden, *ranking)
        return ranking

    def search(
        self, latents: csr_matrix, n: int, hidden: np.ndarray = ALL_SHOWN
    ) -> tuple[np.ndarray, np.ndarray]:
        """(indices, scores), each (n,), of the rows of largest product with `latents` (1 × width).

        hidden: see `hidden_items`.
        """
        n_items = self.shape[0]
        (items,), (values,) = empty_ranking(1, min(n, n_items))
        question = latents.indices, latents.toarray().ravel()
        nobody = np.empty(0, np.int32), np.empty(0, np.float32)
        _rank(self._parts(), n_items, question, self.columns, *nobody, hidden, items, values)
        return items, values

    def _parts(self, many: bool = False) -> int:
        """How many parts of the items are searched for one user; `many` users take threads anyway.

        Raises ProcessError where threads would be needed and are lost.
        """
        n_parts = max(1, min(get_num_threads(), self.shape[0] // CACHED_ITEMS))
        if n_parts > 1 or many:
            check_threads()
        return n_parts


@njit(**PARALLEL)
def _by_blocks(
    indptr, seen, weights, encoder, own, row_start, cols, data, E, without_seen, hidden, items,
    values,
):  # fmt: skip
    n_users, n_items, threads = len(indptr) - 1, len(row_start) - 1, len(E)
    n = items.shape[1]
    for t in prange(threads):
        e, block = E[t], np.empty((2, LANES), np.float32)  # scores of an item; what to beat
        offset = np.zeros((n_items, LANES), np.float32)  # −x, or −inf for what is left out
        keys, counts = np.empty((LANES, BUFFER * n), np.int64), np.zeros(LANES, np.int64)
        for start in range(t * LANES, n_users, threads * LANES):
            stop = min(start + LANES, n_users)
            e[:] = ZERO
            counts[:] = 0
            block[1] = np.inf
            block[1, : stop - start] = -np.inf
            for user in range(start, stop):
                lane = user - start
                for s in range(indptr[user], indptr[user + 1]):
                    i, x = seen[s], weights[s]
                    offset[i, lane] = -np.inf if without_seen and x != ZERO else -x * own[i]
                    for j in range(row_start[i], row_start[i + 1]):
                        e[cols[j], lane] += x * encoder[j]
            for i in range(n_items):
                if len(hidden) and hidden[i]:
                    continue
                first, last = row_start[i], row_start[i + 1]
                scores = add_row(data, cols, first, last, e, load(offset, i))
                lanes = lanes_above(scores, load(block, 1))
                if lanes:
                    store(block, 0, scores)
                while lanes:
                    lane = first_lane(lanes)
                    lanes &= lanes - np.uint32(1)
                    keys[lane, counts[lane]] = as_key(block[0, lane], i)
                    counts[lane] += 1
                    if counts[lane] == keys.shape[1]:
                        block[1, lane] = keep_best(keys[lane], counts[lane], n)
                        counts[lane] = n
            for user in range(start, stop):
                lane = user - start
                write_ranking(keys[lane, : counts[lane]], items[user], values[user])
                offset[seen[indptr[user] : indptr[user + 1]], lane] = ZERO


@njit(cache=True)
def _one_by_one(
    n_parts, indptr, seen, weights, encoder, own, row_start, cols, data, columns, width,
    without_seen, hidden, items, values,
):  # fmt: skip
    n_items = len(row_start) - 1
    latents, is_touched = np.zeros(width, np.float32), np.zeros(width, np.bool_)
    touched = np.empty(width, np.int32)
    for user in range(len(indptr) - 1):
        history = slice(indptr[user], indptr[user + 1])
        n_touched = _encode_into(
            latents, touched, is_touched, seen[history], weights[history], encoder, row_start, cols
        )
        question = touched[:n_touched], latents
        changes = _changes(seen[history], weights[history], own, without_seen)
        _rank(
            n_parts, n_items, question, columns, seen[history], changes, hidden, items[user],
            values[user],
        )  # fmt: skip
        for c in touched[:n_touched]:
            latents[c], is_touched[c] = ZERO, False


@njit(cache=True)
def _rank(n_parts, n_items, question, columns, seen, changes, hidden, items, values):
    """Fill `items` and `values` with the best for one user's latents, found in `n_parts`."""
    n = len(items)
    keys, counts = np.empty((n_parts, BUFFER * n), np.int64), np.empty(n_parts, np.int64)
    if n_parts == 1:
        counts[0] = _best_between(0, n_items, question, columns, seen, changes, hidden, keys[0], n)
    else:
        _best_in_parts(n_items, question, columns, seen, changes, hidden, keys, counts, n)
    count = 0
    candidates = np.empty(counts.sum(), np.int64)
    for part in range(n_parts):
        candidates[count : count + counts[part]] = keys[part, : counts[part]]
        count += counts[part]
    write_ranking(candidates, items, values)


@njit(cache=True)
def _encode_into(latents, touched, is_touched, seen, weights, encoder, row_start, cols):
    """x·A into `latents`; the columns that it touches into `touched`, and how many they are."""
    count = 0
    for s in range(len(seen)):
        for j in range(row_start[seen[s]], row_start[seen[s] + 1]):
            c = cols[j]
            latents[c] += weights[s] * encoder[j]
            if not is_touched[c]:
                is_touched[c], touched[count] = True, c
                count += 1
    return count


@njit(cache=True)
def _changes(seen, weights, own, without_seen):
    """What is added to the scores of seen items: −x times their own part, or −inf to hide them."""
    changes = np.empty(len(seen), np.float32)
    for s in range(len(seen)):
        hide = without_seen and weights[s] != ZERO
        changes[s] = -np.inf if hide else -weights[s] * own[seen[s]]
    return changes


@njit(parallel=True, cache=True)
def _best_in_parts(n_items, question, columns, seen, changes, hidden, keys, counts, n):
    n_parts = len(keys)
    for part in prange(n_parts):
        first, last = part * n_items // n_parts, (part + 1) * n_items // n_parts
        counts[part] = _best_between(
            first, last, question, columns, seen, changes, hidden, keys[part], n
        )


@njit(**CACHED)
def _best_between(first, last, question, columns, seen, changes, hidden, keys, n):
    """Candidates among items `first` to `last` into `keys`, and how many: the n best are there."""
    (touched, latents), (column_start, rows, values) = question, columns
    size = (min(CACHED_ITEMS, last - first) + LANES - 1) // LANES
    scores = np.zeros((size, LANES), np.float32)
    flat = scores.reshape(-1)
    position = np.empty(len(touched), np.int64)
    for k in range(len(touched)):
        begin, end = column_start[touched[k]], column_start[touched[k] + 1]
        position[k] = begin + np.searchsorted(rows[begin:end], first) if first else begin
    count, worst = 0, np.float32(-np.inf)
    for start in range(first, last, CACHED_ITEMS):
        stop = min(start + CACHED_ITEMS, last)
        for k in range(len(touched)):
            x, r, end = latents[touched[k]], position[k], column_start[touched[k] + 1]
            while r < end and rows[r] < stop:
                flat[rows[r] - start] += x * values[r]
                r += 1
            position[k] = r
        for s in range(len(seen)):
            if start <= seen[s] < stop:
                flat[seen[s] - start] += changes[s]
        for i in range(start, stop if len(hidden) else start):
            if hidden[i]:
                flat[i - start] = -np.inf
        flat[stop - start :] = -np.inf
        for row in range((stop - start + LANES - 1) // LANES):
            lanes = lanes_above(load(scores, row), splat(worst))
            while lanes:
                lane = first_lane(lanes)
                lanes &= lanes - np.uint32(1)
                if scores[row, lane] > worst:
                    keys[count] = as_key(scores[row, lane], start + row * LANES + lane)
                    count += 1
                    if count == len(keys):
                        worst = keep_best(keys, count, n)
                        count = n
        flat[:] = ZERO
    return count
