"""Strong generalisation: disjoint users for training, validation, test; hold-out within a history.

Facts of the released protocol and where it departs: book page *Protocol*.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.errors import (
    ConfigError,
    DataError,
    check_count,
    check_positive,
    check_seed,
    check_share,
)

LARGEST_VALUE = 1e6  # of a history: scores of more would leave float32
Fold = tuple[csr_matrix, csr_matrix]


@dataclass(frozen=True)
class Split:
    """Users in three disjoint parts (CSR, users × items) and the rows of X they came from."""

    train: csr_matrix
    val: csr_matrix
    test: csr_matrix
    train_rows: np.ndarray
    val_rows: np.ndarray
    test_rows: np.ndarray


def split_users(X: csr_matrix, n_test: int, n_val: int = 0, seed: int = 42) -> Split:
    """Draw `n_test` test users, then `n_val` validation users; the rest train.

    Raises DataError if X has too few users to leave one for training, ConfigError for a count < 0.
    """
    check_count(0, n_test=n_test, n_val=n_val)
    check_seed(seed)
    X = canonical(X)
    n_users = X.shape[0]
    if n_test + n_val >= n_users:
        raise DataError(
            f"{n_test} test and {n_val} validation users were asked for, but there are only "
            f"{n_users} users and at least one must train; lower n_test or n_val"
        )
    order = np.random.default_rng(seed).permutation(n_users)
    test, val, train = np.split(order, [n_test, n_test + n_val])
    parts = [np.sort(part) for part in (train, val, test)]
    return Split(*(X[rows] for rows in parts), *parts)


def holdout_folds(
    X: csr_matrix,
    n_folds: int = 5,
    fraction: float = 0.2,
    seed: int = 0,
    method: str = "disjoint",
) -> list[Fold]:
    """Split each history into (input, target), `n_folds` times; X is users × items, CSR.

    "disjoint": the targets of different folds do not overlap; with n_folds · fraction = 1 they
    cover each history. "as_released": each fold draws ⌈fraction · length⌉ items with replacement,
    apart from the others, as the paper's released code does. Raises ConfigError.
    """
    check_count(n_folds=n_folds)
    check_seed(seed)
    check_positive(fraction=fraction)
    check_share(fraction=fraction)
    X, rng = canonical(X), np.random.default_rng(seed)
    if method == "disjoint":
        held = _disjoint(X, n_folds, fraction, rng)
    elif method == "as_released":
        held = [_with_replacement(X, fraction, rng) for _ in range(n_folds)]
    else:
        raise ConfigError(f'unknown method "{method}"; choose "disjoint" or "as_released"')
    return [(keep(X, ~mask), keep(X, mask)) for mask in held]


def _disjoint(X: csr_matrix, n_folds: int, fraction: float, rng) -> list[np.ndarray]:
    """A boolean mask over X's interactions per fold, from one random order of each history."""
    if n_folds * fraction > 1 + 1e-9:
        raise ConfigError(
            f"{n_folds} disjoint folds of {fraction:.0%} do not fit into a history; "
            f"n_folds · fraction must be at most 1"
        )
    lengths = np.diff(X.indptr)
    rows = np.repeat(np.arange(X.shape[0]), lengths)
    order = np.lexsort((rng.random(X.nnz), rows))
    position = np.empty(X.nnz, dtype=np.int64)
    position[order] = np.arange(X.nnz) - np.repeat(X.indptr[:-1], lengths)
    bounds = np.rint(np.outer(np.arange(n_folds + 1) * fraction, lengths)).astype(np.int64)
    return [
        (position >= bounds[fold][rows]) & (position < bounds[fold + 1][rows])
        for fold in range(n_folds)
    ]


def _with_replacement(X: csr_matrix, fraction: float, rng) -> np.ndarray:
    """A boolean mask over X's interactions: those drawn at least once."""
    lengths = np.diff(X.indptr)
    draws = np.ceil(fraction * lengths).astype(np.int64)
    drawn = np.floor(rng.random(draws.sum()) * np.repeat(lengths, draws)).astype(np.int64)
    mask = np.zeros(X.nnz, dtype=bool)
    mask[np.repeat(X.indptr[:-1], draws) + drawn] = True
    return mask


def canonical(X: csr_matrix) -> csr_matrix:
    """X (users × items, sparse or an array) as CSR float32: columns ascend, none twice, no zeros.

    What is there twice is added up. One user may be a vector. X itself if it is so already. Raises
    DataError for what is no matrix of numbers, or has columns that it has not.
    """
    try:
        if X is None or isinstance(X, str | dict):
            raise TypeError("no matrix")
        if np.iscomplexobj(X):
            raise TypeError("complex")
        if getattr(X, "ndim", 2) == 1:
            X = X.reshape(1, -1)
        if not (isinstance(X, csr_matrix) and X.dtype == np.float32):
            X = csr_matrix(X, dtype=np.float32)
        X.check_format(full_check=True)  # SciPy's own loops would read past the end
    except (TypeError, ValueError) as error:
        raise DataError(
            f"users are a matrix of numbers, users × items, got {type(X).__name__} ({error}); "
            "pass a CSR matrix such as `dataset.X`"
        ) from error
    if X.has_canonical_format and X.data.all():
        return X
    X = X.copy()  # the arrays may be the caller's
    X.sum_duplicates()
    X.eliminate_zeros()
    return X


def matching(X: csr_matrix, n_items: int, why: str) -> csr_matrix:
    """X as `canonical` CSR. Raises DataError unless it has `n_items` columns of finite values.

    `why`: whose number that is, as "the embeddings have".
    """
    X = canonical(X)
    if X.shape[1] != n_items:
        raise DataError(f"X has {X.shape[1]} items, {why} {n_items}; use the same item order")
    if not (np.abs(X.data) < LARGEST_VALUE).all():  # false of NaN too
        raise DataError(
            f"X holds values that are not finite, or {LARGEST_VALUE:g} and more; use 1 for what a "
            "user chose"
        )
    return X


def keep(X: csr_matrix, mask: np.ndarray) -> csr_matrix:
    """X with only the interactions where `mask` is true."""
    indptr = np.concatenate(([0], np.cumsum(mask)))[X.indptr]
    return csr_matrix((X.data[mask], X.indices[mask], indptr), shape=X.shape)
