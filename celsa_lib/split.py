"""Strong generalisation: disjoint users for training, validation, test; hold-out within a history,
or of all that came after a moment.

Facts of the released protocol and where it departs: book page *Protocol*.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.arrays import check_csr
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
LATER_SHARE = 0.2  # of all interactions: what is tested where no moment is named


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


@dataclass(frozen=True)
class TimeSplit:
    """Other users before `test_from`, and test users before and after it (CSR, · × items).

    train: what others than the test users chose before; who had chosen nothing is left out. given
    and target: what the test users had chosen before, and what they chose then or later, which is
    no item that they had. train_times (train.nnz,): in the order of train.data.
    """

    train: csr_matrix
    given: csr_matrix
    target: csr_matrix
    train_rows: np.ndarray
    test_rows: np.ndarray
    train_times: np.ndarray
    test_from: np.generic

    @property
    def start(self) -> str:
        """`test_from` as text, to split again by."""
        from celsa_lib.data.times import written

        return written(self.test_from)

    @property
    def folds(self) -> list[Fold]:
        """For `evaluate`: one fold, as there is one past and one future."""
        return [(self.given, self.target)]


def split_by_time(
    X: csr_matrix, times: np.ndarray, n_test: int | None = None, test_from=None, seed: int = 42
) -> TimeSplit:
    """Learn from before a moment, test on what came after: no training interaction is as late as
    any target, and `n_test` users who have interactions on both sides are not in training at all.

    X and `times` are those of a Dataset that was loaded with `time`. test_from: a date or number
    of their kind; without it, as late as leaves a fifth of all interactions. n_test: None for a
    tenth of the users, 50 to 2,500, as far as there are so many. Raises DataError where too few
    users or interactions are on either side, ConfigError for a moment that is none.
    """
    from celsa_lib.data.times import moment, written  # pandas, which serving does without

    check_seed(seed)
    X, times = _in_step(X, times)
    start = _later_part(times) if test_from is None else moment(test_from, times)
    early = times < start
    both = np.flatnonzero(_per_user(X, early).astype(bool) & _per_user(X, ~early).astype(bool))
    n_test = min(usual_test_users(X.shape[0]), len(both)) if n_test is None else n_test
    check_count(0, n_test=n_test)
    if n_test > len(both) or not len(both):
        wanted = f"; {n_test} test users were asked for" if len(both) else ""
        raise DataError(
            f"{len(both)} users have interactions both before {written(start)} and from then on "
            f"(times go from {written(times.min())} to {written(times.max())}){wanted}; choose "
            "another test_from" + (", or lower n_test" if wanted else "")
        )
    test_rows = np.sort(np.random.default_rng(seed).permutation(both)[:n_test])
    is_test = np.zeros(X.shape[0], dtype=bool)
    is_test[test_rows] = True
    learned = early & ~np.repeat(is_test, np.diff(X.indptr))
    train = keep(X, learned)
    train_rows = np.flatnonzero(np.diff(train.indptr))
    if not len(train_rows):
        raise DataError(
            f"no user is left to learn from before {written(start)}; lower n_test, or choose a "
            "later test_from"
        )
    tested = X[test_rows]
    later = ~early[np.repeat(is_test, np.diff(X.indptr))]
    given, target = keep(tested, ~later), keep(tested, later)
    return TimeSplit(train[train_rows], given, target, train_rows, test_rows, times[learned], start)


def usual_test_users(n_users: int) -> int:
    """How many users test where nobody says: a tenth, 50 to 2,500."""
    return min(2_500, max(50, n_users // 10))


def _in_step(X: csr_matrix, times: np.ndarray) -> tuple[csr_matrix, np.ndarray]:
    """X and its times. Raises DataError unless there is one for each interaction, in order."""
    if times is None:
        raise DataError("the data has no times; load it with time=, the name of their column")
    times = np.asarray(times)
    if canonical(X) is not X or times.shape != (X.nnz,):
        raise DataError(
            f"{times.shape} times for {getattr(X, 'nnz', 0)} interactions; pass X and times of a "
            "Dataset, as they were loaded"
        )
    if times.dtype.kind not in "iufM" or not np.isfinite(times).all():
        raise DataError("times are dates or finite numbers; pass those of a Dataset")
    if not X.nnz:
        raise DataError("there are no interactions to divide by time")
    return X, times


def _per_user(X: csr_matrix, mask: np.ndarray) -> np.ndarray:
    """How many of each user's interactions are in the mask."""
    return np.diff(np.concatenate(([0], np.cumsum(mask)))[X.indptr])


def _later_part(times: np.ndarray) -> np.generic:
    """The moment from which about LATER_SHARE of all interactions took place."""
    ordered = np.sort(times)
    start = ordered[int((1 - LATER_SHARE) * len(ordered))] if len(ordered) else None
    if start is None or ordered[0] == ordered[-1]:
        raise DataError("all interactions have one time, so none is later than another")
    return start if start > ordered[0] else ordered[np.searchsorted(ordered, start, "right")]


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
        if hasattr(X, "indptr"):
            check_csr(X)
        if not (isinstance(X, csr_matrix) and X.dtype == np.float32):
            X = csr_matrix(X, dtype=np.float32)
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
