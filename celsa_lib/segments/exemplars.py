"""Groups around exemplars: for rows whose latents are items, so that a group's centre is an item.

The sum over items of the cosine to the nearest exemplar (facility location: Cornuejols, Fisher and
Nemhauser 1977) is made large greedily, which reaches at least 1 − 1/e of the best sum.
"""

import heapq

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize

LEAST_GAIN = 1.0  # as much as an item alone can bring, so that an exemplar stands for others too


def nearest_exemplars(rows: csr_matrix, n_groups: int | None = None) -> np.ndarray:
    """The exemplar (an item) of each of the `rows` (items × width): (n_items,).

    Exemplars are taken until there are `n_groups` or, without it, until none gains more than
    LEAST_GAIN. An item with a cosine to none of them is its own.
    """
    similarity = positive_cosines(rows)
    chosen = choose_exemplars(similarity, n_groups)
    near = similarity[:, chosen]
    near.sort_indices()
    return np.array(
        [
            chosen[near.indices[start + np.argmax(near.data[start:end])]] if end > start else item
            for item, (start, end) in enumerate(zip(near.indptr, near.indptr[1:], strict=False))
        ]
    )


def positive_cosines(rows: csr_matrix) -> csr_matrix:
    """Cosines above 0 of the rows: items × items, exactly 1 of a row and itself."""
    unit = normalize(csr_matrix(rows, dtype=np.float64))
    similarity = (unit @ unit.T).tocsr()
    similarity.data = np.clip(similarity.data, 0.0, 1.0)
    similarity.setdiag(1.0)
    similarity.eliminate_zeros()
    return similarity


def choose_exemplars(similarity: csr_matrix, n_groups: int | None = None) -> np.ndarray:
    """Exemplars by falling gain in Σ_i max_e similarity_ie, of equal ones the first item.

    Gains only fall while exemplars are added, so one is computed again only when its last value is
    the largest (lazy greedy: Minoux 1978).
    """
    by_item = similarity.tocsc()
    best, chosen = np.zeros(by_item.shape[0]), []

    def column(item: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(by_item.indptr[item], by_item.indptr[item + 1])
        return by_item.indices[part], by_item.data[part]

    def gain(item: int) -> float:
        places, values = column(item)
        return float(np.maximum(values - best[places], 0.0).sum())

    waiting = [(-gain(item), item) for item in range(len(best))]
    heapq.heapify(waiting)
    while waiting and len(chosen) != n_groups:
        _, item = heapq.heappop(waiting)
        now = gain(item)
        if waiting and (-now, item) > waiting[0]:
            heapq.heappush(waiting, (-now, item))
            continue
        if now <= LEAST_GAIN and n_groups is None:
            break
        places, values = column(item)
        best[places] = np.maximum(best[places], values)
        chosen.append(item)
    return np.array(chosen, dtype=np.int64)
