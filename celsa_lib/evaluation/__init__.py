"""Metrics, per-user results and paired comparison."""

from celsa_lib.evaluation.compare import Difference, paired_difference
from celsa_lib.evaluation.evaluate import METRICS, Evaluation, evaluate

__all__ = ["METRICS", "Difference", "Evaluation", "evaluate", "paired_difference"]
