"""Groupings to compare with: random ones of the same sizes, k-means on dense embeddings."""

import numpy as np
from sklearn.cluster import KMeans
from sklearn.preprocessing import normalize

from celsa_lib.embeddings import ItemEmbeddings


def random_groups(of_item: np.ndarray) -> np.ndarray:
    """Groups of the same sizes, items drawn at random: (n_items,)."""
    return np.random.default_rng(0).permutation(of_item)


def kmeans_groups(embeddings: ItemEmbeddings, n_groups: int, seed: int = 0) -> np.ndarray:
    """k-means on the unit rows of (dense) embeddings: the group of each item, (n_items,)."""
    rows = normalize(embeddings.matrix.toarray())
    model = KMeans(n_groups, init="random", n_init=1, max_iter=50, random_state=seed)
    return model.fit_predict(rows)
