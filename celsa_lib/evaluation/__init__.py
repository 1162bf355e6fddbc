"""Metrics, per-user results and paired comparison."""

from celsa_lib.evaluation.compare import (
    Difference,
    Ratio,
    difference_by_user,
    paired_difference,
    ratio_of_means,
)
from celsa_lib.evaluation.effort import effort_for_recall
from celsa_lib.evaluation.evaluate import METRICS, Evaluation, evaluate, standard_error

__all__ = [
    "METRICS",
    "Difference",
    "Evaluation",
    "Ratio",
    "difference_by_user",
    "effort_for_recall",
    "evaluate",
    "paired_difference",
    "ratio_of_means",
    "standard_error",
]
