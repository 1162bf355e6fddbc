"""Does a grouping agree with another one: synthetic ground truth, genres, another seed?"""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    normalized_mutual_info_score,
)
from sklearn.metrics.cluster import contingency_matrix

from celsa_lib.errors import DataError
from celsa_lib.segments.naming.terms import Terms


def agreement(truth: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """groups, ari, nmi and purity of `found` (n_items,) against `truth` (n_items,).

    Purity: the share of items whose true group is the most frequent one in their found group. It
    is 1 for items all alone, so it says something only beside the number of groups. Raises
    DataError without items.
    """
    if not len(truth):
        raise DataError("there are no items to compare; leave out those without a true group only")
    table = contingency_matrix(truth, found)
    return {
        "groups": int(table.shape[1]),
        "ari": float(adjusted_rand_score(truth, found)),
        "nmi": float(normalized_mutual_info_score(truth, found)),
        "purity": float(table.max(axis=0).sum() / table.sum()),
    }


def stability(groupings: Sequence[np.ndarray]) -> dict[str, float]:
    """Mean ARI and AMI over pairs of groupings of the same items, such as of several seeds.

    AMI: mutual information adjusted for chance, which rises with the number of groups.
    """
    pairs = [(a, b) for i, a in enumerate(groupings) for b in groupings[i + 1 :]]
    return {
        "ari": float(np.mean([adjusted_rand_score(a, b) for a, b in pairs])),
        "ami": float(np.mean([adjusted_mutual_info_score(a, b) for a, b in pairs])),
    }


def main_term(terms: Terms) -> np.ndarray:
    """The rarest term of each item (n_items,), as a number; −1 where it has none.

    One genre per item, so that genres can be compared as a grouping.
    """
    idf = terms.idf
    rows = np.split(terms.matrix.indices, terms.matrix.indptr[1:-1])
    return np.array([row[np.argmax(idf[row])] if len(row) else -1 for row in rows])
