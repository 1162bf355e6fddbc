"""The one evaluation: a model on hold-out folds, every user's result kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from celsa_lib.errors import DataError
from celsa_lib.evaluation.metrics import hits, ndcg_at, recall_at
from celsa_lib.split import Fold, canonical

CUTOFF = 100
METRICS = ("ndcg@100", "recall@20", "recall@50")
USERS_OF_PART = 2**14  # whose rankings are held


@dataclass(frozen=True)
class Evaluation:
    """mean and stderr by metric; per_user: columns fold, row, and one per metric.

    A user's value is its mean over folds; mean and standard error are taken over users.
    """

    mean: dict[str, float]
    stderr: dict[str, float]
    per_user: pd.DataFrame

    def by_user(self) -> pd.DataFrame:
        """Mean over folds, indexed by row: what paired comparisons use."""
        return self.per_user.groupby("row")[list(METRICS)].mean()


def evaluate(model, folds: list[Fold]) -> Evaluation:
    """nDCG@100 and calibrated Recall@20/50 of `model` on (input, target) folds.

    `model` has `recommend(X, n, exclude_seen)`. Seen items are left out of the ranking; users
    without a target in a fold are skipped there. Rankings are made, and given up, for some users at
    a time: what is held beside the folds is a few numbers per user. Raises DataError if no user has
    a target, or there is no fold.
    """
    if not hasattr(model, "recommend"):
        raise DataError(f"a {type(model).__name__} recommends nothing; pass a model or embeddings")
    if not isinstance(folds, Sequence) or not all(
        isinstance(fold, Sequence) and len(fold) == 2 for fold in folds
    ):
        raise DataError("folds are a list of pairs (input, target), as holdout_folds(X) makes them")
    if not folds:
        raise DataError("there are no folds to evaluate on; make some with holdout_folds(X)")
    parts = [_evaluate_fold(model, *fold).assign(fold=f) for f, fold in enumerate(folds)]
    per_user = pd.concat(parts, ignore_index=True)[["fold", "row", *METRICS]]
    if per_user.empty:
        raise DataError("no user has a held-out item; use longer histories or a larger fraction")
    users = per_user.groupby("row")[list(METRICS)].mean()
    errors = {name: standard_error(users[name]) for name in METRICS}
    return Evaluation(users.mean().to_dict(), errors, per_user)


def standard_error(values) -> float:
    """Standard error of the mean of `values`, one per user or per seed; NaN for one value."""
    values = np.asarray(values, float)
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def _evaluate_fold(model, given, target) -> pd.DataFrame:
    """One row per user with at least one target: row and metrics."""
    given, target = canonical(given), canonical(target)
    if given.shape != target.shape:
        raise DataError(
            f"a fold has inputs of {given.shape} and targets of {target.shape}, users × items; "
            "both are of the same users and items"
        )
    rows = np.flatnonzero(np.diff(target.indptr))
    parts = [rows[first : first + USERS_OF_PART] for first in range(0, len(rows), USERS_OF_PART)]
    values = [_metrics_of(model, given[part], target[part]) for part in parts or [rows]]
    return pd.concat(values, ignore_index=True).assign(row=rows)


def _metrics_of(model, given, target) -> pd.DataFrame:
    """Metrics of each user, all of whom have a target."""
    ranking, _ = model.recommend(given, n=CUTOFF, exclude_seen=True)
    found, n_targets = hits(ranking, target), np.diff(target.indptr)
    return pd.DataFrame(
        {
            "ndcg@100": ndcg_at(found, n_targets, 100),
            "recall@20": recall_at(found, n_targets, 20),
            "recall@50": recall_at(found, n_targets, 50),
        }
    )
