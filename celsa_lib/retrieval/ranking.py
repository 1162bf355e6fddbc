"""Ranking of score blocks: seen items out, the n best in."""

import numpy as np
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
    n = min(n, scores.shape[1])
    best = np.argpartition(-scores, n - 1, axis=1)[:, :n] if n < scores.shape[1] else None
    if best is None:
        best = np.broadcast_to(np.arange(n), scores.shape)
    best = np.sort(best, axis=1)
    values = np.take_along_axis(scores, best, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    best = np.take_along_axis(best, order, axis=1)
    values = np.take_along_axis(values, order, axis=1)
    return np.where(np.isneginf(values), -1, best), values
