"""Inverted lists beside packed rows: the best for a user without a look at every row."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import get_num_threads, njit
from scipy.sparse import csr_matrix

from celsa_lib.kernels.packed import PackedLayout, encode_history, read_rows, row_product
from celsa_lib.kernels.simd import LANES, ZERO
from celsa_lib.retrieval.lists import item_lists, may_be_best, parts_of, rank_found
from celsa_lib.retrieval.ranking import ALL_SHOWN, empty_ranking


class PackedIndex:
    """Lists of packed rows: 3 bytes per nonzero; what they lead to is scored from its packed row.

    width: latents; longest: values of a row at most. The lists are made from the rows block by
    block, which are never written out as a whole.
    """

    def __init__(self, layout: PackedLayout, longest: int, width: int):
        """`layout` is read from now on, its words wherever they lie."""
        self._layout, self._longest = layout, longest
        self._shape = len(layout.starts) - 1, width
        self.lists = item_lists(self._shape, self._rows_between)

    def recommend(
        self,
        X: csr_matrix,
        n: int,
        without_seen: bool,
        hidden: np.ndarray = ALL_SHOWN,
        effort: float = 1.0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """(indices, scores) of the `n` best: see `SparseIndex.recommend`; many users in threads."""
        n_items, width = self._shape
        ranking = empty_ranking(X.shape[0], min(n, n_items))
        weights = X.data.astype(np.float32)
        asked = X.indptr, X.indices, weights, without_seen, hidden, float(effort), *ranking
        stored = self._layout, self._longest, self.lists
        if X.shape[0] < LANES:
            _one_by_one(parts_of(n_items), *stored, np.zeros(width, np.float32), 0, 1, *asked)
            return ranking
        threads = get_num_threads()

        def rank(first: int) -> None:
            _one_by_one(1, *stored, np.zeros(width, np.float32), first, threads, *asked)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(rank, range(threads)))
        return ranking

    def _rows_between(self, first: int, last: int) -> tuple:
        """Packed rows as CSR."""
        layout, n_rows = self._layout, last - first
        bits = int(layout.starts[last] - layout.starts[first])
        most = min(bits // layout.bits, n_rows * self._longest) + n_rows
        indptr, inputs = np.zeros(n_rows + 1, np.int64), np.empty(n_rows, np.float32)
        columns, values = np.empty(most, np.int64), np.empty(most, np.float32)
        read_rows(layout, first, indptr, columns, values, inputs)
        return indptr, columns, values


@njit(nogil=True, cache=True)
def _one_by_one(
    n_parts, layout, longest, lists, e, first, apart, indptr, seen, weights, without_seen, hidden,
    effort, items, values,
):  # fmt: skip
    """Users from the `first` on, `apart` from each other; e, of zeros, has their latents."""
    for user in range(first, len(indptr) - 1, apart):
        of_user = slice(indptr[user], indptr[user + 1])
        changes = np.empty(of_user.stop - of_user.start, np.float32)
        encode_history(layout, longest, seen[of_user], weights[of_user], e, changes)
        for s in range(len(changes)):
            hide = without_seen and weights[of_user.start + s] != ZERO
            changes[s] = -np.inf if hide else -changes[s]
        touched = np.flatnonzero(e).astype(np.int32)  # as other rows have them: compiled once
        found, scores = may_be_best(
            n_parts, len(layout.starts) - 1, items.shape[1], lists, (touched, e), seen[of_user],
            changes, hidden, effort,
        )  # fmt: skip
        for k in range(len(found)):
            scores[k] += row_product(layout, found[k], e)
        rank_found(found, scores, items[user], values[user])
        e[touched] = ZERO
