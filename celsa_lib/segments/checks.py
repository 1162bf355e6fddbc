"""What a caller may get wrong about users, positions and thresholds, said before it does harm."""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.errors import ConfigError, DataError
from celsa_lib.split import canonical


def users_of(X, n_items: int) -> csr_matrix:
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
    x = users_of(x, n_items)
    if x.shape[0] != 1:
        raise DataError(f"one user is meant, got {x.shape[0]}; pass one row, such as X[0]")
    return x


def check_position(what: str, position: int, n: int) -> None:
    """Raise ConfigError unless `position` is a whole number from 0 to n − 1."""
    whole = isinstance(position, Integral) and not isinstance(position, bool | np.bool_)
    if not whole or not 0 <= position < n:
        raise ConfigError(f"there is no {what} {position!r}; they are 0 to {n - 1}")


def check_tau(tau: float) -> None:
    """Raise ConfigError unless `tau` is a cosine."""
    if not isinstance(tau, Real) or isinstance(tau, bool | np.bool_) or not -1 <= tau <= 1:
        raise ConfigError(f"tau is a cosine, a number from −1 to 1, got {tau!r}")
