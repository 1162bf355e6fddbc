"""Is one model better than another? Paired by user."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from celsa_lib.errors import DataError
from celsa_lib.evaluation.evaluate import Evaluation


@dataclass(frozen=True)
class Difference:
    """Mean difference over users, and the bootstrap interval around it."""

    mean: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


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

    ours, theirs: (users,), the same users in the same order. Raises DataError if they cannot be.
    """
    if np.shape(ours) != np.shape(theirs) or not np.size(ours):
        raise DataError(
            f"results of {np.shape(ours)} and {np.shape(theirs)} users cannot be paired; evaluate "
            f"both on the same folds"
        )
    difference = np.asarray(ours) - np.asarray(theirs)
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
