"""Who pays for a short list of strong entries: which items are shown, and whether rare ones are."""

from dataclasses import dataclass

import numpy as np

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
    rare_items = np.argsort(np.argsort(popularity, kind="stable")) < len(popularity) // 2
    shown, rare = np.zeros(len(popularity), bool), []
    for given, target in folds:
        ranking, _ = model.recommend(canonical(given), n=LIST_LENGTH, exclude_seen=True)
        shown[ranking[ranking >= 0]] = True
        of_rare = canonical(target.multiply(rare_items))
        having = np.flatnonzero(np.diff(of_rare.indptr))
        found = hits(ranking[having], of_rare[having])
        rare.append(recall_at(found, np.diff(of_rare.indptr)[having], LIST_LENGTH))
    every = np.concatenate(rare)
    return Exposure(float(shown.mean()), float(every.mean()) if len(every) else float("nan"))
