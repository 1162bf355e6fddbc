"""Do the segments recommended to users hold what they choose next?"""

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from celsa_lib.retrieval import top_n
from celsa_lib.segments.grouping import indicator_of
from celsa_lib.segments.segmentation import Segmentation
from celsa_lib.split import Fold


def alignment(
    segmentation: Segmentation, folds: list[Fold], popularity: np.ndarray, k: int = 5, n: int = 10
) -> pd.DataFrame:
    """Shares per user, mean over folds; only users with a target in a fold count there.

    Of the held-out items: the share in the user's k `recommended` segments; in the k with most
    items of the user's `history`, which needs no latents; in the k most `popular` ones; in k
    `random` ones (expected: k / segments); and what popularity alone would give the recommended
    ones (`by popularity`: their share of `popularity` (n_items,) over unseen items). Of the model's
    n best items: the share in the same segments (`top recommended`, …).
    `signs`: share of the latents of recommended segments that the user activates with the
    segment's sign; `signs random`: of k random segments.
    """
    frames = [_fold(segmentation, *fold, popularity, k, n) for fold in folds]
    return pd.concat(frames).groupby(level=0).mean()


def _fold(segmentation, X: csr_matrix, target: csr_matrix, popularity, k, n) -> pd.DataFrame:
    users = np.flatnonzero(np.diff(target.indptr))
    X, target = csr_matrix(X[users]), csr_matrix(target[users])
    membership = indicator_of(segmentation.of_item, len(segmentation))
    chosen = _chosen(segmentation.recommend(X, k)[0], len(segmentation))
    by_segment = membership.T @ popularity
    popular = np.zeros_like(chosen)
    popular[:, np.argsort(-by_segment, kind="stable")[:k]] = 1
    history = _chosen(top_n((X @ membership).toarray(), k)[0], len(segmentation))
    held_out = _shares(target @ membership)
    top = _shares(_lists(segmentation, X, n) @ membership)
    unseen = by_segment - (X.multiply(popularity) @ membership).toarray()
    columns = {
        "recommended": (held_out * chosen).sum(axis=1),
        "history": (held_out * history).sum(axis=1),
        "popular": (held_out * popular).sum(axis=1),
        "random": np.full(len(users), k / len(segmentation)),
        "by popularity": (unseen * chosen).sum(axis=1) / unseen.sum(axis=1),
        "top recommended": (top * chosen).sum(axis=1),
        "top history": (top * history).sum(axis=1),
        "top popular": (top * popular).sum(axis=1),
        "top random": np.full(len(users), k / len(segmentation)),
    }
    return pd.DataFrame(columns | _signs(segmentation, X, chosen), index=users)


def _signs(segmentation: Segmentation, X: csr_matrix, chosen: np.ndarray) -> dict:
    """Agreement of signs for the chosen segments, and the mean over all of them."""
    signs = segmentation.matrix.sign()
    activations = np.sign(segmentation.embeddings.activations(X))
    # +1 where user and segment agree, −1 where not, 0 where the user does not activate the latent.
    same = (abs(signs) @ abs(activations).T + signs @ activations.T).T / 2
    agree = np.asarray(same) / np.diff(signs.indptr)
    return {
        "signs": (agree * chosen).sum(axis=1) / chosen.sum(axis=1),
        "signs random": agree.mean(axis=1),
    }


def _chosen(segments: np.ndarray, n_segments: int) -> np.ndarray:
    chosen = np.zeros((len(segments), n_segments), dtype=np.float32)
    rows, places = np.nonzero(segments >= 0)
    chosen[rows, segments[rows, places]] = 1
    return chosen


def _lists(segmentation: Segmentation, X: csr_matrix, n: int) -> csr_matrix:
    """The model's n best unseen items per user, as users × items."""
    items, _ = segmentation.embeddings.recommend(X, n)
    rows, places = np.nonzero(items >= 0)
    return csr_matrix((np.ones(len(rows)), (rows, items[rows, places])), shape=X.shape)


def _shares(counts: csr_matrix) -> np.ndarray:
    """Rows that sum to 1: users × segments."""
    counts = counts.toarray()
    return counts / counts.sum(axis=1, keepdims=True)
