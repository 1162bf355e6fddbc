"""The users that segments are asked for, checked before they do harm."""

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.errors import DataError
from celsa_lib.split import canonical


def checked_users(X, n_items: int) -> csr_matrix:
    """X as users × `n_items`, `canonical` CSR. Raises DataError for anything else."""
    X = canonical(X)
    if X.shape[1] != n_items:
        raise DataError(
            f"the users have {X.shape[1]} items, the segments {n_items}; use the item order that "
            "the embeddings were trained on"
        )
    if not np.isfinite(X.data).all():
        raise DataError("the users hold values that are not finite; use 1 for what a user chose")
    return X


def one_user(x, n_items: int) -> csr_matrix:
    """x as 1 × `n_items`. Raises DataError, also for several users or none."""
    x = checked_users(x, n_items)
    if x.shape[0] != 1:
        raise DataError(f"one user is meant, got {x.shape[0]}; pass one row, such as X[0]")
    return x
