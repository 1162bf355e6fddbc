"""Do the items of a group belong together? By genres, by the meaning of metadata."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.evaluation import Ratio, ratio_of_means
from celsa_lib.segments.naming.terms import Terms

TOP_GENRES = 5
ITEMS_AT_ONCE = 1024  # compared with all of their group: a whole group may be the whole catalogue


@dataclass(frozen=True, eq=False)
class GroupScores:
    """`sums` over `pairs` of each group (n_groups,): the mean over pairs is Σ sums / Σ pairs."""

    sums: np.ndarray
    pairs: np.ndarray

    def mean(self, seed: int = 0) -> Ratio:
        """Mean over all pairs, with a 95 % bootstrap interval over groups."""
        return ratio_of_means(self.sums, self.pairs, seed=seed)


def genre_jaccard(members: Sequence[np.ndarray], genres: Terms) -> GroupScores:
    """Jaccard similarity of the genres of item pairs, each genre weighted by its idf.

    Two items without a genre have similarity 0.
    """
    weighted = genres.matrix.multiply(genres.idf).tocsr()
    totals = np.asarray(weighted.sum(axis=1)).ravel()
    found = [_jaccard_of(group, weighted, genres.matrix, totals) for group in _several(members)]
    return GroupScores(np.array(found), _n_pairs(members))


def _jaccard_of(group, weighted: csr_matrix, matrix: csr_matrix, totals: np.ndarray) -> float:
    total = 0.0
    for start in range(0, len(group), ITEMS_AT_ONCE):
        rows = group[start : start + ITEMS_AT_ONCE]
        shared = (weighted[rows] @ matrix[group].T).toarray()
        union = totals[rows][:, None] + totals[group] - shared
        similarity = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
        total += float(np.triu(similarity, 1 + start).sum())
    return total


def genre_npmi(members: Sequence[np.ndarray], genres: Terms) -> GroupScores:
    """Normalised pointwise mutual information of the genres that name a group.

    The TOP_GENRES genres with the largest class-based TF-IDF, all pairs of them; together or alone
    on items of the catalogue. From −1 (never together) to 1 (always).
    """
    matrix, n_items = genres.matrix, genres.matrix.shape[0]
    together = (matrix.T @ matrix).toarray() / n_items
    alone = np.diag(together)
    with np.errstate(divide="ignore", invalid="ignore"):
        npmi = np.log(together / np.outer(alone, alone)) / -np.log(together)
    npmi[together == 0] = -1.0
    sums, pairs = [], []
    for group in _several(members):
        weight = np.asarray(matrix[group].sum(axis=0)).ravel() * genres.idf
        top = np.argsort(-weight, kind="stable")[:TOP_GENRES]
        top = top[weight[top] > 0]
        sums.append(np.triu(npmi[np.ix_(top, top)], 1).sum())
        pairs.append(len(top) * (len(top) - 1) / 2)
    return GroupScores(np.array(sums), np.array(pairs))


def vector_cosine(members: Sequence[np.ndarray], vectors: np.ndarray) -> GroupScores:
    """Cosine of the unit `vectors` (items × dimensions) of item pairs."""
    sums = [
        (np.square(vectors[group].sum(axis=0)).sum() - len(group)) / 2
        for group in _several(members)
    ]
    return GroupScores(np.array(sums), _n_pairs(members))


def _several(members: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Groups of at least two items: one item alone has no pair."""
    return [group for group in members if len(group) > 1]


def _n_pairs(members: Sequence[np.ndarray]) -> np.ndarray:
    sizes = np.array([len(group) for group in _several(members)], dtype=float)
    return sizes * (sizes - 1) / 2
