"""Ranking of scores: seen items out, the n best in."""

import numpy as np
from numba import njit, prange
from scipy.sparse import csr_matrix


def exclude_seen(scores: np.ndarray, X: csr_matrix) -> np.ndarray:
    """`scores` (users × items) with −inf, in place, at the interactions of X (users × items)."""
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    seen = X.data != 0  # a stored zero is no interaction
    scores[rows[seen], X.indices[seen]] = -np.inf
    return scores


def top_n(scores: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(indices, scores), each users × min(n, items), best first; equal scores by lower index.

    Positions whose score is −inf (nothing left to recommend) have index −1.
    """
    items, values = empty_ranking(len(scores), min(n, scores.shape[1]))
    _top_n(scores, items, values)
    return items, values


def empty_ranking(n_users: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(indices, scores), each users × n, with nothing recommended yet: −1 and −inf."""
    return np.full((n_users, n), -1, dtype=np.int64), np.full((n_users, n), -np.inf, np.float32)


@njit(parallel=True, cache=True)
def _top_n(scores, items, values):
    for user in prange(len(scores)):
        for item in range(scores.shape[1]):
            if scores[user, item] > values[user, 0]:
                push(values[user], items[user], scores[user, item], item)
        sort_ranking(values[user], items[user])


@njit(cache=True)
def push(values, items, value, item):
    """Put (value, item) for the worst entry of a heap whose worst is at 0.

    Of equal values the one with the higher index is the worse.
    """
    size, hole = len(values), 0
    while True:
        child = 2 * hole + 1
        if child >= size:
            break
        if child + 1 < size and _worse(values, items, child + 1, child):
            child += 1
        if value < values[child] or (value == values[child] and item > items[child]):
            break
        values[hole], items[hole] = values[child], items[child]
        hole = child
    values[hole], items[hole] = value, item


@njit(cache=True)
def _worse(values, items, a, b):
    return values[a] < values[b] or (values[a] == values[b] and items[a] > items[b])


@njit(cache=True)
def sort_ranking(values, items):
    """Order a heap best first, equal values by lower index."""
    by_item = np.argsort(items, kind="mergesort")
    order = by_item[np.argsort(-values[by_item], kind="mergesort")]
    values[:], items[:] = values[order], items[order]
