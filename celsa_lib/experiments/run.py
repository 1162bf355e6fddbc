"""Run an experiment: choose on validation users, fit on all others, report on test users."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from scipy.sparse import csr_matrix, vstack

from celsa_lib.data import Dataset, load_dataset
from celsa_lib.errors import ConfigError
from celsa_lib.evaluation import Evaluation, evaluate
from celsa_lib.experiments.config import GRADIENT_METHODS, ExperimentConfig, MethodConfig
from celsa_lib.experiments.manifest import make_manifest
from celsa_lib.experiments.store import Result
from celsa_lib.models import (
    EASE,
    ELSA,
    CompressedELSA,
    Popularity,
    PrunedEASE,
    SparseAutoencoderELSA,
)
from celsa_lib.split import Fold, holdout_folds, split_users

log = logging.getLogger(__name__)

MODELS = {
    "EASE": EASE,
    "ELSA": ELSA,
    "CompressedELSA": CompressedELSA,
    "Popularity": Popularity,
    "PrunedEASE": PrunedEASE,
    "SparseAutoencoderELSA": SparseAutoencoderELSA,
}
TUNED_ON = "ndcg@100"
KEPT_BASES = 6  # fitted models that others are made of, kept at a time (4·items² bytes for EASE)


@dataclass
class Task:
    """Users to tune on (fit, validation folds) and to report on (all non-test users, test folds).

    `ready` holds models that need no training, by method name.
    """

    tune_fit: csr_matrix
    tune_folds: list[Fold]
    fit: csr_matrix
    folds: list[Fold]
    ready: dict = field(default_factory=dict)


def run(config: ExperimentConfig, dataset: Dataset | None = None) -> Result:
    """Load the data, split its users, run every method. Raises CelsaError."""
    dataset = dataset or load_dataset(config.dataset, **config.data_params)
    return run_task(config, dataset, make_task(config, dataset.X))


def make_task(config: ExperimentConfig, X: csr_matrix) -> Task:
    """Test, validation and training users drawn from X; the reported fit takes all but the test."""
    if config.test_users != "split":
        raise ConfigError(f'test_users "{config.test_users}" needs its own task; use "split"')
    split = split_users(X, config.n_test, config.n_val, config.split_seed)
    fit = vstack([split.train, split.val], format="csr") if config.n_val else split.train
    return Task(split.train, folds_of(config, split.val), fit, folds_of(config, split.test))


def folds_of(config: ExperimentConfig, X: csr_matrix) -> list[Fold]:
    """Hold-out folds of the users X as configured; none without users."""
    if not X.shape[0]:
        return []
    return holdout_folds(X, config.n_folds, config.fraction, config.fold_seed, config.fold_method)


def run_task(
    config: ExperimentConfig,
    dataset: Dataset,
    task: Task,
    stored: list[dict] | None = None,
    on_row: Callable[[Result], None] = lambda result: None,
    checkpoint: Path | None = None,
) -> Result:
    """Every method × seed of the config. Rows of `stored` with the same hash are taken as they are.

    `on_row` is called with the result so far after each new row. `checkpoint`: a file from which
    the training of Compressed ELSA goes on where it was cut off.
    """
    result = Result(make_manifest(config, dataset))
    known = {row["hash"]: row for row in stored or []}
    commit = result.manifest["code"]["commit"]
    bases: dict = {}
    missing = [
        (method.name, method.params | {"seed": seed})
        for method in config.methods
        for seed in config.seeds
        if config.row_hash(method, seed, dataset.checksum) not in known
    ]
    paths = CompressedPaths([p for name, p in missing if name == "CompressedELSA"], checkpoint)
    for method in config.methods:
        for seed in config.seeds if method.name in GRADIENT_METHODS else config.seeds[:1]:
            row_hash = config.row_hash(method, seed, dataset.checksum)
            if row_hash in known:
                result.rows.append(known[row_hash])
                continue
            row, evaluation = _run_method(method, seed, task, bases, paths)
            result.rows.append({"hash": row_hash, "commit": commit} | row)
            result.evaluations[row_hash] = evaluation
            result.manifest["seconds"] = round(sum(r["seconds"] for r in result.rows), 1)
            log.info("%s %s: %.4f", row["label"], row["params"], row["mean"][TUNED_ON])
            on_row(result)
    result.manifest["seconds"] = round(sum(r["seconds"] for r in result.rows), 1)
    return result


class CompressedPaths:
    """Compressed ELSA at several budgets: those that differ in nnz alone are trained as one path.

    `wanted`: the parameters of every row that will be asked for.
    """

    def __init__(self, wanted: list[dict], checkpoint: Path | None = None):
        self.wanted, self.checkpoint = wanted, checkpoint
        self.models: dict[str, CompressedELSA] = {}
        self.about: dict = {}

    def fit(self, params: dict, X: csr_matrix) -> CompressedELSA:
        """The model of `params`, trained on X with all wanted ones of its path if it is not yet."""
        key = _key(params)
        if key not in self.models:
            rest = {name: value for name, value in params.items() if name != "nnz"}
            same = [p for p in self.wanted if p == rest | {"nnz": p["nnz"]}] or [params]
            started = perf_counter()
            fitted = CompressedELSA.fit_budgets(
                X, [p["nnz"] for p in same], checkpoint=self.checkpoint, progress=False, **rest
            )
            seconds = round(perf_counter() - started, 2)
            self.about = {"budgets": sorted(fitted), "seconds": seconds}
            self.models = {_key(rest | {"nnz": nnz}): model for nnz, model in fitted.items()}
        return self.models[key]


def _key(params: dict) -> str:
    return json.dumps(params, sort_keys=True)


def _run_method(
    method: MethodConfig, seed: int, task: Task, bases: dict, paths: CompressedPaths
) -> tuple[dict, Evaluation]:
    """(row, evaluation) of one method at one seed."""
    started = perf_counter()
    chosen, trials = _choose(method, seed, task, bases)
    tuned = perf_counter()
    model, path = task.ready.get(method.name), {}
    if model is None and method.name == "CompressedELSA":
        model = paths.fit(method.params | chosen | {"seed": seed}, task.fit)
        path = {"path": paths.about}  # seconds of all its budgets, in each row
    elif model is None:
        model = _fitted(method.name, method.params | chosen, seed, task.fit, "fit", bases)
    fitted = perf_counter()
    evaluation = evaluate(model, task.folds)
    done = perf_counter()
    row = {
        "method": method.name,
        "label": label(method),
        "budget_bytes": model.bytes_per_item,
        "params": method.params | chosen,
        "seed": seed,
        "grid": {name: list(values) for name, values in method.grid.items()},
        "trials": trials,
        "mean": _rounded(evaluation.mean),
        "stderr": _rounded(evaluation.stderr),
        "seconds": round(done - started, 2),
        "seconds_tune": round(tuned - started, 2),
        "seconds_fit": round(fitted - tuned, 2),
        "seconds_evaluate": round(done - fitted, 2),
    } | path
    return row, evaluation


def label(method: MethodConfig) -> str:
    """The method's name in tables and figures; a narrow ELSA is the paper's low-dimensional one."""
    if method.name == "Released":
        return "Released embeddings"
    if method.name == "ELSA" and method.params.get("width", 1024) <= 256:
        return "Low-dim ELSA"
    return MODELS[method.name].name


def _choose(method: MethodConfig, seed: int, task: Task, bases: dict) -> tuple[dict, list[dict]]:
    """The grid's best choice on the validation users, and every trial."""
    candidates = method.candidates()
    if len(candidates) == 1:
        return candidates[0], []
    trials = []
    for choice in candidates:
        params = method.params | choice
        model = _fitted(method.name, params, seed, task.tune_fit, "tune", bases)
        value = evaluate(model, task.tune_folds).mean[TUNED_ON]
        trials.append({"choice": choice, TUNED_ON: round(value, 5)})
    return max(trials, key=lambda trial: trial[TUNED_ON])["choice"], trials


def _fitted(name: str, params: dict, seed: int, X: csr_matrix, users: str, bases: dict):
    """A fitted model; an inversion (EASE) or dense ELSA that another method needs is kept."""
    if name in GRADIENT_METHODS:
        params = params | {"seed": seed, "progress": False}
    if name == "EASE":
        return _base(EASE, params, X, users, bases)
    model = MODELS[name](**params)
    if name == "PrunedEASE":
        return model.fit(X, base=_base(EASE, {"reg": model.reg}, X, users, bases))
    if name == "SparseAutoencoderELSA":
        options = {"width": model.width, "epochs": model.epochs} | vars(model.options)
        return model.fit(X, base=_base(ELSA, options, X, users, bases))
    return model.fit(X)


def _base(cls, params: dict, X: csr_matrix, users: str, bases: dict):
    """A fitted `cls` for (params, users), at most KEPT_BASES of them in memory."""
    key = cls.__name__, users, tuple(sorted(params.items()))
    if key not in bases:
        while len(bases) >= KEPT_BASES:
            bases.pop(next(iter(bases)))
        bases[key] = cls(**params).fit(X)
    return bases[key]


def _rounded(values: dict) -> dict:
    return {name: round(float(value), 5) for name, value in values.items()}
