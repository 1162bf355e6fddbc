"""Metrics, per-user results and paired comparison."""

from celsa_lib.evaluation.compare import Difference, difference_by_user, paired_difference
from celsa_lib.evaluation.evaluate import METRICS, Evaluation, evaluate

__all__ = [
    "METRICS",
    "Difference",
    "Evaluation",
    "difference_by_user",
    "evaluate",
    "paired_difference",
]
