"""Is one model better than another? Paired by user."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import stats

from celsa_lib.errors import DataError
from celsa_lib.evaluation.evaluate import Evaluation

TAILS = ((1 - 0.95) / 2, (1 + 0.95) / 2)  # of an interval of 95 %


@dataclass(frozen=True)
class Difference:
    """Mean difference over users, and the bootstrap interval around it; NaN of a single user."""

    mean: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Ratio:
    """Mean of ours over mean of theirs, and the bootstrap interval around it."""

    value: float
    low: float
    high: float


def paired_difference(
    ours: Evaluation, theirs: Evaluation, metric: str = "ndcg@100", **options
) -> Difference:
    """`difference_by_user` of two evaluations on the same folds; `options` are passed on.

    Raises DataError if the two were not evaluated on the same users.
    """
    left, right = ours.by_user()[metric], theirs.by_user()[metric]
    if not left.index.equals(right.index):
        raise DataError("the two evaluations have different users; use the same folds for both")
    return difference_by_user(left.to_numpy(), right.to_numpy(), **options)


def difference_by_user(
    ours: np.ndarray,
    theirs: np.ndarray,
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Difference:
    """Mean of (ours − theirs) with a percentile bootstrap interval over users.

    ours, theirs: (users,), the same users in the same order; one user has no interval (NaN).
    Raises DataError if they cannot be paired.
    """
    _check_pairs(ours, theirs)
    difference = np.asarray(ours) - np.asarray(theirs)
    if len(difference) == 1:
        return Difference(float(difference[0]), float("nan"), float("nan"))
    if np.ptp(difference) == 0:
        return Difference(*[float(difference[0])] * 3)
    interval = stats.bootstrap(
        (difference,),
        np.mean,
        confidence_level=confidence,
        n_resamples=n_resamples,
        method="percentile",
        batch=100,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Difference(float(difference.mean()), float(interval.low), float(interval.high))


def ratio_of_means(
    ours: np.ndarray, theirs: np.ndarray, n_resamples: int = 2000, seed: int = 0
) -> Ratio:
    """mean(ours) / mean(theirs) with a 95 % percentile bootstrap interval, drawn in pairs.

    ours, theirs: (users,), or (groups,): the same ones in the same order. Raises DataError if they
    cannot be paired, or all of `theirs` are 0.
    """
    _check_pairs(ours, theirs)
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    if not theirs.any():
        raise DataError("a share of 0 means nothing: the model to compare with has no hit at all")
    value = float(ours.mean() / theirs.mean())
    if len(ours) == 1:
        return Ratio(value, value, value)
    with warnings.catch_warnings():
        # A draw in which theirs has no hit gives no share, and is left out below.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        drawn = stats.bootstrap(
            (ours, theirs),
            _share,
            paired=True,
            n_resamples=n_resamples,
            method="percentile",
            batch=100,
            rng=np.random.default_rng(seed),
        ).bootstrap_distribution
    low, high = np.nanquantile(drawn, TAILS)
    return Ratio(value, float(low), float(high))


def _share(ours: np.ndarray, theirs: np.ndarray, axis: int) -> np.ndarray:
    """Sum of ours over sum of theirs; NaN where theirs is 0."""
    total = theirs.sum(axis=axis)
    return np.divide(ours.sum(axis=axis), total, out=np.full_like(total, np.nan), where=total > 0)


def _check_pairs(ours: np.ndarray, theirs: np.ndarray) -> None:
    if np.shape(ours) != np.shape(theirs) or not np.size(ours):
        raise DataError(
            f"results of {np.shape(ours)} and {np.shape(theirs)} users cannot be paired; evaluate "
            f"both on the same folds"
        )
