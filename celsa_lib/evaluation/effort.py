"""How much of a user's latents a quick search has to look at."""

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.embeddings import ItemEmbeddings, PackedEmbeddings
from celsa_lib.errors import ConfigError, DataError, check_between, check_count
from celsa_lib.split import matching

ASKED = 200  # users, drawn evenly from those given: their mean recall is known to about 0.01
HALVINGS = 10  # of the range of efforts


def effort_for_recall(
    embeddings: ItemEmbeddings | PackedEmbeddings,
    X: csr_matrix,
    recall: float = 0.99,
    n: int = 10,
) -> float:
    """The least `effort` of `embeddings.recommend` that finds a share `recall` of the `n` best.

    X: histories of your users, users × items; 200 of them are asked, one at a time, the mean is
    what counts. Raises ConfigError, DataError for other columns or if nobody has a history.
    """
    if not isinstance(embeddings, ItemEmbeddings | PackedEmbeddings):
        raise ConfigError(
            f"{type(embeddings).__name__} have no effort: they look at every row; pass embeddings"
        )
    check_between(0, 1, recall=recall)
    check_count(n=n)
    X = matching(X, len(embeddings.item_ids), "the embeddings have")
    users = np.flatnonzero(np.diff(X.indptr))
    if not len(users):
        raise DataError("nobody in X has a history, so there is nothing to search for")
    places = np.linspace(0, len(users) - 1, min(ASKED, len(users))).astype(int)
    asked = [X[user] for user in users[places]]
    exact = [embeddings.recommend(user, n)[0] for user in asked]
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        effort = (low + high) / 2
        found = [embeddings.recommend(user, n, effort=effort)[0] for user in asked]
        shares = [np.isin(best, some).mean() for best, some in zip(exact, found, strict=True)]
        if np.mean(shares) >= recall:
            high = effort
        else:
            low = effort
    return high
