"""Ranking of scores: seen items out, the n best in.

A score and its item become one integer that orders by score, then by lower index: ties need no
rule of their own, and choosing the best is choosing the largest of plain numbers.
"""

from collections.abc import Sequence

import numpy as np
from numba import prange
from scipy.sparse import csr_matrix

from celsa_lib.errors import ConfigError, check_count, plainly
from celsa_lib.kernels.compiled import compiled
from celsa_lib.kernels.forks import check_threads

BATCH_USERS = 1024  # users scored at a time: a block of users × items, never all of them
SCORES_AT_ONCE = 2**26  # scores held at once: users of a block × items, 256 MiB
BUFFER = 3  # candidates held before the best n are kept, in multiples of n
ALL_SHOWN = np.zeros(0, dtype=bool)  # every item may be recommended


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
    check_threads()
    items, values = empty_ranking(len(scores), min(n, scores.shape[1]))
    _top_n(scores, items, values)
    return items, values


def hidden_items(
    n_items: int, among: Sequence[int] | None, without: Sequence[int] | None
) -> np.ndarray:
    """Which items are not recommended, as (items,) bool, empty where every item may be.

    among, without: positions of all that may be, and of what may not. Raises ConfigError for a
    position that is not there.
    """
    if among is None and without is None:
        return ALL_SHOWN
    hidden = np.full(n_items, among is not None)
    if among is not None:
        hidden[_positions(n_items, among=among)] = False
    if without is not None:
        hidden[_positions(n_items, without=without)] = True
    return hidden


def _positions(n_items: int, **given) -> np.ndarray:
    ((name, values),) = given.items()
    try:
        found = np.asarray(values)
        if found.dtype == bool:
            raise TypeError("a mask")
        found = found.astype(np.int64, casting="same_kind") if found.size else found.astype(int)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} is a list of positions, got {plainly(values)}") from error
    if found.ndim != 1 or (found.size and not 0 <= found.min() <= found.max() < n_items):
        raise ConfigError(f"{name} is a list of positions from 0 to {n_items - 1}")
    return found


def recommend_in_batches(
    score, X: csr_matrix, n: int, without_seen: bool, hidden: np.ndarray = ALL_SHOWN
):
    """`top_n` of `score(X)`, a block of users at a time: (indices, scores), each users × n.

    hidden: see `hidden_items`. Raises ConfigError if n < 1.
    """
    check_count(n=n)
    blocks = []
    at_once = max(1, min(BATCH_USERS, SCORES_AT_ONCE // max(1, X.shape[1])))
    for start in range(0, X.shape[0], at_once):
        users = X[start : start + at_once] if X.shape[0] > at_once else X
        scores = score(users)
        if len(hidden):
            scores[:, hidden] = -np.inf
        blocks.append(top_n(exclude_seen(scores, users) if without_seen else scores, n))
    if not blocks:
        width = min(n, X.shape[1])
        return np.empty((0, width), dtype=np.int64), np.empty((0, width), dtype=np.float32)
    return tuple(np.concatenate(part) for part in zip(*blocks, strict=True))


def empty_ranking(n_users: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(indices, scores), each users × n, with nothing recommended yet: −1 and −inf."""
    return np.full((n_users, n), -1, dtype=np.int64), np.full((n_users, n), -np.inf, np.float32)


@compiled(parallel=True)
def _top_n(scores, items, values):
    for user in prange(len(scores)):
        best_of(scores[user], items[user], values[user])


@compiled()
def best_of(scores, items, values):
    """Fill `items` and `values` with the best of one user's `scores`."""
    n = len(items)
    keys = np.empty(BUFFER * n, np.int64)
    count, worst = 0, np.float32(-np.inf)
    for item in range(len(scores)):
        if scores[item] > worst:
            keys[count] = as_key(scores[item], item)
            count += 1
            if count == len(keys):
                worst = keep_best(keys, count, n)
                count = n
    write_ranking(keys[:count], items, values)


@compiled()
def as_key(score, item):
    """One int64 that is larger for a larger float32 score, then for a lower index."""
    bits = np.int64(np.float32(score).view(np.int32))
    ordered = bits if bits >= 0 else -(bits & 0x7FFFFFFF)  # −0.0 becomes 0.0
    return (ordered << 32) - np.int64(item)


@compiled()
def score_and_item(key):
    """(score, item) that `as_key` made into one."""
    item = -key & 0xFFFFFFFF
    ordered = (key + item) >> 32
    bits = ordered if ordered >= 0 else -ordered - 0x80000000
    return np.int32(bits).view(np.float32), item


@compiled()
def keep_best(keys, count, n):
    """Move the n largest of keys[:count] to the front (quickselect); the score of the n-th.

    Keys differ. The inner loop has no branch that depends on them, so none is guessed wrongly.
    """
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        pivot, keys[middle] = keys[middle], keys[high]
        place = low
        for i in range(low, high):
            key = keys[i]
            keys[i] = keys[place]
            keys[place] = key
            place += key > pivot
        keys[high], keys[place] = keys[place], pivot
        if place == n - 1:
            break
        if place < n - 1:
            low = place + 1
        else:
            high = place - 1
    return score_and_item(keys[n - 1])[0]


@compiled()
def write_ranking(keys, items, values):
    """Write the best of `keys` (reordered), best first; places left over stay as they are."""
    n = min(len(keys), len(items))
    if len(keys) > n:
        keep_best(keys, len(keys), n)
    best = np.sort(keys[:n])
    for place in range(n):
        values[place], items[place] = score_and_item(best[n - 1 - place])
