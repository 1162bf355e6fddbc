"""Who pays for a short list of strong entries: which items are shown, and whether rare ones are."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.evaluation.metrics import hits, recall_at
from celsa_lib.split import Fold, canonical

LIST_LENGTH = 50


@dataclass(frozen=True)
class Exposure:
    """coverage: share of the items that are shown to somebody; rare: calibrated recall on targets
    among the less popular half of the items, mean over users and folds that have one. Both of
    the first 50.
    """

    coverage: float
    rare: float


def exposure(model, folds: list[Fold], popularity: np.ndarray) -> Exposure:
    """Exposure of `model` on (input, target) folds; `popularity` (items,) of the training users."""
    n_items = len(popularity)
    shown = np.zeros(n_items, bool)
    rare = np.argsort(np.argsort(popularity, kind="stable")) < n_items // 2
    found = []
    for given, target in folds:
        ranking, _ = model.recommend(canonical(given), n=LIST_LENGTH, exclude_seen=True)
        shown[ranking[ranking >= 0]] = True
        found.append(_recall(ranking, target, rare))
    return Exposure(float(shown.mean()), _mean(found))


def recall_by_popularity(
    model, folds: list[Fold], popularity: np.ndarray, n_parts: int
) -> list[float]:
    """Calibrated recall@50 of `model` on targets in each part of the items, as `popularity_parts`
    numbers them; NaN where no user has a target.
    """
    parts = popularity_parts(popularity, n_parts)
    found = [[] for _ in range(n_parts)]
    for given, target in folds:
        ranking, _ = model.recommend(canonical(given), n=LIST_LENGTH, exclude_seen=True)
        for part in range(n_parts):
            found[part].append(_recall(ranking, target, parts == part))
    return [_mean(values) for values in found]


def popularity_parts(popularity: np.ndarray, n_parts: int) -> np.ndarray:
    """The part of each item (items,), 0 the most popular: parts of as many items each."""
    rank = np.argsort(np.argsort(-popularity, kind="stable"))
    return rank * n_parts // len(rank)


def _recall(ranking: np.ndarray, target: csr_matrix, items: np.ndarray) -> np.ndarray:
    """Calibrated recall@50 of each user with a target among `items` (a mask)."""
    wanted = canonical(target.multiply(items))
    having = np.flatnonzero(np.diff(wanted.indptr))
    found = hits(ranking[having], wanted[having])
    return recall_at(found, np.diff(wanted.indptr)[having], LIST_LENGTH)


def _mean(parts: list[np.ndarray]) -> float:
    every = np.concatenate(parts)
    return float(every.mean()) if len(every) else float("nan")
