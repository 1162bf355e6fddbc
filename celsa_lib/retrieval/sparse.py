"""Top-n from sparse rows (Section 2, inference), no score kept but the best.

Many users: LANES at a time, their latents against every row (decode by rows). Few users: one at a
time through the lists of the latents that the user touches (`lists`), O(history · nnz) and what
those lists hold.
"""

import numpy as np
from numba import get_num_threads, njit, prange
from scipy.sparse import csr_matrix

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
from celsa_lib.retrieval.lists import item_lists, may_be_best, parts_of, rank_found
from celsa_lib.retrieval.ranking import (
    ALL_SHOWN,
    BUFFER,
    as_key,
    empty_ranking,
    keep_best,
    write_ranking,
)


class SparseIndex:
    """Rows A (items × width, CSR float32) stored by rows, and by latents for few users."""

    def __init__(
        self,
        matrix: csr_matrix,
        encoder: np.ndarray | None = None,
        own: np.ndarray | None = None,
    ):
        """Store `matrix` twice: 11 bytes per nonzero, 4 per latent and 32,768 items.

        encoder: values by which the same nonzeros encode a user; own: what a seen item adds to its
        own score, items. Without them the rows encode too, and have unit norm.
        """
        self.shape = matrix.shape
        self.rows = matrix.indptr, matrix.indices, matrix.data
        self.encoder = matrix.data if encoder is None else encoder
        self.own = np.ones(matrix.shape[0], np.float32) if own is None else own
        self.lists = item_lists(self.shape, self._rows_between)

    def recommend(
        self,
        X: csr_matrix,
        n: int,
        without_seen: bool,
        hidden: np.ndarray = ALL_SHOWN,
        effort: float = 1.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """(indices, scores) of the n largest of x·A·Aᵀ − x; as `top_n` of all the scores.

        hidden: see `hidden_items`. effort: below 1, only the largest latents of each of a few users
        are looked up, with this share of the sum of squares; what they lead to is scored exactly.
        """
        n_items, width = self.shape
        n_parts = parts_of(n_items, many=X.shape[0] >= LANES)
        ranking = empty_ranking(X.shape[0], min(n, n_items))
        histories = X.indptr, X.indices, X.data.astype(np.float32), self.encoder, self.own
        if X.shape[0] < LANES:
            _one_by_one(
                n_parts, *histories, self.rows, self.lists, width, without_seen, hidden,
                float(effort), *ranking,
            )  # fmt: skip
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
        parts = parts_of(n_items), self.rows, self.lists
        _rank_one(*parts, question, *nobody, hidden, 1.0, items, values)
        return items, values

    def _rows_between(self, first: int, last: int) -> tuple:
        row_start, cols, data = self.rows
        stored = slice(row_start[first], row_start[last])
        return row_start[first : last + 1] - stored.start, cols[stored], data[stored]


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
    n_parts, indptr, seen, weights, encoder, own, rows, lists, width, without_seen, hidden, effort,
    items, values,
):  # fmt: skip
    latents, is_touched = np.zeros(width, np.float32), np.zeros(width, np.bool_)
    touched = np.empty(width, np.int32)
    for user in range(len(indptr) - 1):
        history = slice(indptr[user], indptr[user + 1])
        n_touched = _encode_into(
            latents, touched, is_touched, seen[history], weights[history], encoder, rows
        )
        changes = _changes(seen[history], weights[history], own, without_seen)
        question = touched[:n_touched], latents
        _rank_one(
            n_parts, rows, lists, question, seen[history], changes, hidden, effort, items[user],
            values[user],
        )  # fmt: skip
        for c in touched[:n_touched]:
            latents[c], is_touched[c] = ZERO, False


@njit(cache=True)
def _rank_one(n_parts, rows, lists, question, seen, changes, hidden, effort, items, values):
    """Fill `items` and `values` with the best for one user; see `may_be_best`."""
    n_items, n = len(rows[0]) - 1, len(items)
    found, scores = may_be_best(n_parts, n_items, n, lists, question, seen, changes, hidden, effort)
    for k in range(len(found)):
        scores[k] += _product(rows, found[k], question[1])
    rank_found(found, scores, items, values)


@njit(cache=True)
def _product(rows, item, latents):
    row_start, cols, data = rows
    total = ZERO
    for k in range(row_start[item], row_start[item + 1]):
        total += data[k] * latents[cols[k]]
    return total


@njit(cache=True)
def _encode_into(latents, touched, is_touched, seen, weights, encoder, rows):
    """x·A into `latents`; the columns that it touches into `touched`, and how many they are."""
    count, (row_start, cols, _) = 0, rows
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
