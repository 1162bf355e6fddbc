"""What each deviation of the released code from the paper changes in nDCG@100.

Each is switched on alone, on the same users, and compared by user with the library's default.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from time import perf_counter

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.evaluation import Evaluation, evaluate, paired_difference
from celsa_lib.experiments.config import MethodConfig
from celsa_lib.experiments.manifest import make_manifest
from celsa_lib.experiments.profiles import configuration, settings_for
from celsa_lib.experiments.task import Task, prepare
from celsa_lib.models import EASE, CompressedELSA, Recommender, SparseAutoencoderELSA
from celsa_lib.models.registry import OURS
from celsa_lib.results import DEVIATIONS, Result, save_result
from celsa_lib.retrieval import recommend_in_batches
from celsa_lib.split import Fold, holdout_folds

NNZ, REG, CAP = 16, 100.0, 6.0


class ZeroedSeen:
    """`model`, but the scores of seen items become 0 instead of leaving the ranking."""

    def __init__(self, model):
        self.model = model

    def recommend(self, X: csr_matrix, n: int, exclude_seen: bool = True):
        """See Recommender; a seen item comes before items with negative scores."""

        def score(users: csr_matrix) -> np.ndarray:
            scores = self.model.score(users)
            scores[users.nonzero()] = 0.0
            return scores

        return recommend_in_batches(score, X, n, without_seen=False)


class FilteredAfterwards:
    """`model`, but items that are nobody's target leave its list, and later ones move up."""

    def __init__(self, model, folds: list[Fold]):
        self.model = model
        self.is_target = np.zeros(folds[0][1].shape[1] + 1, dtype=bool)  # the last is index −1
        for _, target in folds:
            self.is_target[target.indices] = True

    def recommend(self, X: csr_matrix, n: int, exclude_seen: bool = True):
        """See Recommender."""
        items, scores = self.model.recommend(X, n, exclude_seen)
        kept = self.is_target[items]
        order = np.argsort(~kept, axis=1, kind="stable")
        items, scores = (np.take_along_axis(a, order, axis=1) for a in (items, scores))
        gone = ~np.take_along_axis(kept, order, axis=1)
        items[gone], scores[gone] = -1, -np.inf
        return items, scores


def run_deviations(dataset: str, profile: str = "laptop", out: str | Path | None = None) -> Result:
    """One row per deviation and model on `dataset`: nDCG@100 both ways, the paired difference.

    Raises CelsaError.
    """
    settings = settings_for(profile, dataset)
    params = settings.ablation() | {"nnz": NNZ, "progress": False}
    method = MethodConfig("CompressedELSA", settings.ablation() | {"nnz": NNZ})
    config = configuration(dataset, profile, [method])
    data, task = prepare(config)
    result = Result(make_manifest(config, data, DEVIATIONS))
    started = perf_counter()
    sae = settings.training() | settings.autoencoder() | {"width": settings.dense_width}
    models = {"EASE": EASE(REG).fit(task.fit), OURS: CompressedELSA(**params).fit(task.fit)}
    protocol = (protocol_deviations(task, *model) for model in (models | task.ready).items())
    for pair in chain(*protocol, _of_training(task, params, sae)):
        result.rows.append(_row(*pair))
        result.manifest["seconds"] = round(perf_counter() - started, 1)
        if out:
            save_result(result, out)
    return result


Pair = tuple[str, str, Evaluation, Evaluation]  # deviation, model, default, as released


def _row(deviation: str, model: str, default: Evaluation, released: Evaluation) -> dict:
    found = paired_difference(released, default)
    numbers = {
        "default": default.mean["ndcg@100"],
        "as released": released.mean["ndcg@100"],
        "stderr": default.stderr["ndcg@100"],
        "difference": found.mean,
        "low": found.low,
        "high": found.high,
    }
    rounded = {name: round(float(value), 5) for name, value in numbers.items()}
    return {"deviation": deviation, "model": model} | rounded


def protocol_deviations(task: Task, name: str, model: Recommender) -> Iterator[Pair]:
    """The protocol's deviations, on a fitted model that is called `name`."""
    given, target = task.folds[0]
    redrawn = holdout_folds(given + target, method="as_released")
    default = evaluate(model, task.folds)
    yield "hold-out drawn with replacement", name, default, evaluate(model, redrawn)
    zeroed = evaluate(ZeroedSeen(model), task.folds)
    yield "seen items scored 0, not left out", name, default, zeroed
    filtered = evaluate(FilteredAfterwards(model, task.folds), task.folds)
    yield "items that are nobody's target removed after ranking", name, default, filtered


def _of_training(task: Task, params: dict, sae: dict) -> Iterator[Pair]:
    """The training's deviations; each trains a model both ways."""

    def compressed(**changes) -> Evaluation:
        return evaluate(CompressedELSA(**params | changes).fit(task.fit), task.folds)

    name = CompressedELSA.name
    yield f"ReLU capped at {CAP:g}", name, compressed(), compressed(relu_cap=CAP)
    half = {"max_outputs": task.fit.shape[1] // 2}
    distinct, repeated = compressed(**half), compressed(**half, repeat_negatives=True)
    yield "half of the items scored, negatives drawn with replacement", name, distinct, repeated
    own = {k: sae[k] for k in ("code_width", "sae_epochs", "sae_learning_rate")}
    elsa = SparseAutoencoderELSA(**sae, progress=False).elsa().fit(task.fit)
    codes = [
        evaluate(SparseAutoencoderELSA.from_elsa(elsa, nnz=NNZ, wider=w, **own), task.folds)
        for w in (4, 1)
    ]
    yield "second term of the autoencoder at k, not 4k", SparseAutoencoderELSA.name, *codes
