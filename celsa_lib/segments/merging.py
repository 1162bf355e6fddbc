"""Groups merged into segments: by what they are called, or by who activates them."""

from collections.abc import Callable, Sequence
from numbers import Real

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import csr_matrix
from scipy.spatial.distance import squareform
from sklearn.preprocessing import normalize

from celsa_lib.errors import ConfigError, DataError, plainly
from celsa_lib.segments.grouping import indicator_of, members_of
from celsa_lib.segments.naming import Describer, Label
from celsa_lib.split import matching

Embed = Callable[[Sequence[str]], np.ndarray]


def check_tau(tau: float) -> None:
    """Raise ConfigError unless `tau` is a cosine."""
    if not isinstance(tau, Real) or isinstance(tau, bool | np.bool_) or not -1 <= tau <= 1:
        raise ConfigError(f"tau is a cosine, a number from −1 to 1, got {tau!r}")


def merge_by_name(
    of_item: np.ndarray, items: pd.DataFrame, describer: Describer, embed: Embed, tau: float
) -> tuple[np.ndarray, list[Label]]:
    """Merge groups whose names mean the same, name the merged ones anew, until nothing merges.

    `of_item` (n_items,) is the group of each item; `embed` gives unit rows; groups merge where
    every pair of their names has cosine > `tau`. Returns the segment of each item, numbered by
    falling size, and a label per segment. The same whatever the order of groups, since names are
    compared in alphabetical order. Raises ConfigError if `tau` is not in [−1, 1], DataError unless
    there is one group per item.
    """
    check_tau(tau)
    of_item = _numbered(of_item, len(items))
    labels = describer.describe(members_of(of_item, of_item.max() + 1), items)
    while True:
        names, name_of_group = np.unique([label.text for label in labels], return_inverse=True)
        cluster_of_name = _close(_rows_of_names(embed, list(names)), tau)
        cluster_of_group = cluster_of_name[name_of_group]
        if len(set(cluster_of_group)) == len(labels):
            return numbered_by_size(of_item, labels)
        of_item = np.unique(cluster_of_group[of_item], return_inverse=True)[1]
        labels = _renamed(of_item, cluster_of_group, labels, items, describer)


def _rows_of_names(embed: Embed, names: list[str]) -> np.ndarray:
    """What `embed` makes of names. Raises DataError unless it is a finite row for each."""
    found = embed(names)
    rows = np.asarray(found) if hasattr(found, "__len__") else np.empty(0)
    if rows.ndim != 2 or len(rows) != len(names) or rows.dtype.kind not in "fiu":
        raise DataError(f"embed gave {plainly(found)} for {len(names)} names; a row each is needed")
    if not np.isfinite(rows).all():
        raise DataError("embed gave values that are not finite; give unit rows")
    return rows


def _renamed(of_item, cluster_of_group, labels, items, describer) -> list[Label]:
    """The labels after a merge: a group that took in no other keeps its own."""
    clusters, first, counts = np.unique(cluster_of_group, return_index=True, return_counts=True)
    members = members_of(of_item, len(clusters))
    merged = np.flatnonzero(counts > 1)
    kept = [labels[index] for index in first]
    for index, label in zip(
        merged, describer.describe([members[i] for i in merged], items), strict=True
    ):
        kept[index] = label
    return kept


def merge_by_activation(of_item: np.ndarray, X: csr_matrix, tau: float) -> np.ndarray:
    """Merge groups that the same users choose from; no text needed.

    A group's profile is how many of its items each user of X (users × items) has; average linkage
    over cosines, cut at `tau`. Returns the segment of each item, numbered by falling size. A user
    who chooses from a group fires its latent, so this is merging latents that fire together. Raises
    ConfigError if `tau` is not in [−1, 1], DataError if X has other items.
    """
    check_tau(tau)
    X = matching(X, len(of_item), "the groups have")
    of_item = _numbered(of_item, len(of_item))
    indicator = indicator_of(of_item, of_item.max() + 1).astype(np.float32)
    profiles = (X @ indicator).T.tocsr()
    profiles = normalize(profiles)
    cosines = (profiles @ profiles.T).toarray()
    clusters = _clusters(cosines, tau, "average")
    return numbered_by_size(clusters[of_item], None)[0]


def _numbered(of_item: np.ndarray, n_items: int) -> np.ndarray:
    """Groups numbered 0, 1, …: (n_items,). Raises DataError unless there is one group per item."""
    if np.shape(of_item) != (n_items,) or n_items == 0:
        raise DataError(
            f"groups of shape {np.shape(of_item)} for {n_items} items; pass one group per item, "
            "and at least one item"
        )
    return np.unique(of_item, return_inverse=True)[1]


def _close(vectors: np.ndarray, tau: float) -> np.ndarray:
    """Cluster of each row so that all pairs inside have cosine > tau (complete linkage)."""
    return _clusters(vectors @ vectors.T, tau, "complete")


def _clusters(cosines: np.ndarray, tau: float, method: str) -> np.ndarray:
    if len(cosines) < 2:
        return np.zeros(len(cosines), dtype=int)
    distances = np.clip(1 - (cosines + cosines.T) / 2, 0, 2)
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), method)
    strictly_below = np.nextafter(1 - tau, -np.inf)
    return fcluster(tree, strictly_below, "distance") - 1


def numbered_by_size(
    of_item: np.ndarray, labels: list[Label] | None
) -> tuple[np.ndarray, list[Label] | None]:
    """Segments (n_items,) and their labels renumbered: the largest first.

    Of equal ones the one with the first item.
    """
    _, first, of_item, sizes = np.unique(
        of_item, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -sizes))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[of_item], labels and [labels[index] for index in order]
