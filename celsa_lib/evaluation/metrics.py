"""Ranking metrics on blocks of users, binary relevance."""

import numpy as np
from scipy.sparse import csr_matrix


def hits(ranking: np.ndarray, target: csr_matrix) -> np.ndarray:
    """Boolean users × n: whether each ranked item (users × n indices, −1 = none) is a target."""
    found = np.zeros(ranking.shape, dtype=bool)
    relevant = np.zeros(target.shape[1] + 1, dtype=bool)  # the last entry answers index −1
    for user in range(target.shape[0]):
        items = target.indices[target.indptr[user] : target.indptr[user + 1]]
        relevant[items] = True
        found[user] = relevant[ranking[user]]
        relevant[items] = False
    return found


def recall_at(found: np.ndarray, n_targets: np.ndarray, k: int) -> np.ndarray:
    """Calibrated recall: hits in the first k / min(k, targets), per user."""
    return found[:, :k].sum(axis=1) / np.minimum(k, n_targets)


def ndcg_at(found: np.ndarray, n_targets: np.ndarray, k: int) -> np.ndarray:
    """nDCG: Σ hit/log2(rank + 1) over the first k, by its best value for min(k, targets) hits."""
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate(([0.0], np.cumsum(discount)))
    top = found[:, :k]
    return (top * discount[: top.shape[1]]).sum(axis=1) / ideal[np.minimum(k, n_targets)]
