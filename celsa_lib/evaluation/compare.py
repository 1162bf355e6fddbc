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
    ours: Evaluation,
    theirs: Evaluation,
    metric: str = "ndcg@100",
    confidence: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Difference:
    """Mean of (ours − theirs) over the same users, with a percentile bootstrap interval.

    Raises DataError if the two were not evaluated on the same users.
    """
    left, right = ours.by_user()[metric], theirs.by_user()[metric]
    if not left.index.equals(right.index):
        raise DataError("the two evaluations have different users; use the same folds for both")
    difference = (left - right).to_numpy()
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
