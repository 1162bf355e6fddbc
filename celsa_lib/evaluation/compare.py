"""Is one model better than another? Paired by user."""

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

from celsa_lib.errors import (
    ConfigError,
    DataError,
    check_count,
    check_positive,
    check_seed,
    check_share,
    plainly,
)
from celsa_lib.evaluation.evaluate import METRICS, Evaluation

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

    Raises DataError if the two were not evaluated on the same users, ConfigError for another
    metric.
    """
    if metric not in METRICS:
        raise ConfigError(f"metric is one of {', '.join(METRICS)}, not {plainly(metric)}")
    for one in (ours, theirs):
        if not isinstance(one, Evaluation):
            raise DataError(f"a {type(one).__name__} is no evaluation; pass what evaluate() gives")
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
    Raises DataError if they cannot be paired, ConfigError.
    """
    check_positive(confidence=confidence)
    check_share(confidence=confidence)
    ours, theirs = _pairs(ours, theirs, n_resamples, seed)
    difference = ours - theirs
    if len(difference) == 1:
        return Difference(float(difference[0]), float("nan"), float("nan"))
    if np.ptp(difference) == 0:
        return Difference(*[float(difference[0])] * 3)
    interval = _interval(difference.tobytes(), confidence, n_resamples, seed)
    return Difference(float(difference.mean()), *interval)


@lru_cache(maxsize=2000)
def _interval(values: bytes, confidence: float, n_resamples: int, seed: int) -> tuple[float, float]:
    """The bootstrap interval of a mean; kept, as many claims ask about the same two models."""
    found = stats.bootstrap(
        (np.frombuffer(values),),
        np.mean,
        confidence_level=confidence,
        n_resamples=n_resamples,
        method="percentile",
        batch=100,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def ratio_of_means(
    ours: np.ndarray, theirs: np.ndarray, n_resamples: int = 2000, seed: int = 0
) -> Ratio:
    """mean(ours) / mean(theirs) with a 95 % percentile bootstrap interval, drawn in pairs.

    ours, theirs: (users,), or (groups,): the same ones in the same order. Raises DataError if they
    cannot be paired, or all of `theirs` are 0, and ConfigError.
    """
    ours, theirs = _pairs(ours, theirs, n_resamples, seed)
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


def _pairs(ours, theirs, n_resamples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Both as numbers. Raises DataError if they cannot be paired, ConfigError."""
    check_count(n_resamples=n_resamples)
    check_seed(seed)
    try:
        ours, theirs = (np.asarray(a) * 1.0 for a in (ours, theirs))
        finite = np.isfinite(ours).all() and np.isfinite(theirs).all()
    except (TypeError, ValueError) as error:
        raise DataError("results to compare are a number per user, got others") from error
    if not finite:
        raise DataError("results to compare hold values that are not finite; evaluate again")
    if np.shape(ours) != np.shape(theirs) or not np.size(ours):
        raise DataError(
            f"results of {np.shape(ours)} and {np.shape(theirs)} users cannot be paired; evaluate "
            f"both on the same folds"
        )
    return ours, theirs
