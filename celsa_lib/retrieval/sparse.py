"""Top-n from sparse rows (Section 2, inference): two compressed copies, no score kept but the best.

Many users: LANES at a time, their latents against every row (decode by rows). Few users: one at a
time through the columns that the user's latents touch, O(history · nnz) and what those columns
hold.
"""

import numpy as np
from numba import get_num_threads, njit, prange
from scipy.sparse import csr_matrix

from celsa_lib.kernels.forks import check_threads
from celsa_lib.kernels.simd import (
    LANES,
    PARALLEL,
    ZERO,
    add_row,
    aligned,
    first_lane,
    lanes_above,
    load,
    store,
)
from celsa_lib.retrieval.ranking import (
    BUFFER,
    as_key,
    best_of,
    empty_ranking,
    keep_best,
    write_ranking,
)


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

    def recommend(self, X: csr_matrix, n: int, without_seen: bool) -> tuple[np.ndarray, np.ndarray]:
        """(indices, scores) of the n largest of x·A·Aᵀ − x; as `top_n` of all the scores."""
        check_threads()
        n_items, width = self.shape
        ranking = empty_ranking(X.shape[0], min(n, n_items))
        histories = X.indptr, X.indices, X.data.astype(np.float32), self.encoder, self.own
        if X.shape[0] < LANES:
            _one_by_one(*histories, *self.rows, *self.columns, width, without_seen, *ranking)
        else:
            E = aligned((get_num_threads(), width, LANES))
            _by_blocks(*histories, *self.rows, E, without_seen, *ranking)
        return ranking


@njit(**PARALLEL)
def _by_blocks(
    indptr, seen, weights, encoder, own, row_start, cols, data, E, without_seen, items, values
):
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
    indptr, seen, weights, encoder, own, row_start, cols, data, column_start, rows, column_data,
    width, without_seen, items, values,
):  # fmt: skip
    latents = np.zeros(width, np.float32)
    scores = np.empty(len(row_start) - 1, np.float32)
    for user in range(len(indptr) - 1):
        latents[:] = ZERO
        scores[:] = ZERO
        history = range(indptr[user], indptr[user + 1])
        for s in history:
            for j in range(row_start[seen[s]], row_start[seen[s] + 1]):
                latents[cols[j]] += weights[s] * encoder[j]
        for c in range(width):
            if latents[c] != ZERO:
                for r in range(column_start[c], column_start[c + 1]):
                    scores[rows[r]] += latents[c] * column_data[r]
        for s in history:
            hide = without_seen and weights[s] != ZERO
            scores[seen[s]] = -np.inf if hide else scores[seen[s]] - weights[s] * own[seen[s]]
        best_of(scores, items[user], values[user])
