"""Which segments one user is shown, and how much of the user's list they hold."""

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.retrieval import top_n


def shown_segments(
    segmentation, x: csr_matrix, n: int, least: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """(segments, scores) of the `n` best with `least` items unseen by x (1 × items), best first.

    Fewer where there are fewer. Raises DataError for several users.
    """
    x = segmentation.one_user(x)
    unseen = np.bincount(np.delete(segmentation.of_item, x.indices), minlength=len(segmentation))
    scores = np.where(unseen >= least, segmentation.score(x), -np.inf)
    found, values = (part[0] for part in top_n(scores, n))
    return found[found >= 0], values[found >= 0]


def in_shown_segments(
    segmentation, x: csr_matrix, n_segments: int = 5, n_items: int = 10, least: int = 1
) -> int:
    """How many of x's `n_items` best unseen items are in the segments that x is shown."""
    shown, _ = shown_segments(segmentation, x, n_segments, least)
    items = segmentation.embeddings.recommend(segmentation.one_user(x), n_items)[0][0]
    return int(np.isin(segmentation.of_item[items[items >= 0]], shown).sum())
