"""Run an experiment: choose on validation users, fit on all others, report on test users."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from scipy.sparse import csr_matrix, vstack

from celsa_lib.data import Dataset, load_dataset
from celsa_lib.errors import ConfigError
from celsa_lib.evaluation import evaluate
from celsa_lib.experiments.config import GRADIENT_METHODS, ExperimentConfig, MethodConfig
from celsa_lib.experiments.fits import MODELS, Fits, path_of
from celsa_lib.experiments.manifest import make_manifest
from celsa_lib.models import Recommender
from celsa_lib.results import Result
from celsa_lib.split import Fold, holdout_folds, split_users

log = logging.getLogger(__name__)

TUNED_ON = "ndcg@100"


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
    stored: Result | None = None,
    only: tuple[str, ...] = (),
    on_change: Callable[[Result], None] = lambda result: None,
    checkpoint: Path | None = None,
    on_model: Callable[[dict, Recommender], None] = lambda row, model: None,
) -> Result:
    """Every method × seed of the config; what `stored` has with the same hash is taken as it is.

    What is left to choose is chosen once a method, with the first seed. `only` names the methods
    to compute, all without it. `on_change` is called with the result so far after each new trial
    or row, `on_model` with each new row and the model it is about. `checkpoint`: a file beside
    which Compressed ELSA keeps where it is, to go on there.
    """
    return _Run(config, dataset, task, stored, only, on_change, checkpoint, on_model).finish()


def run_and_keep(
    config: ExperimentConfig, dataset: Dataset, task: Task
) -> tuple[Result, list[Recommender]]:
    """`run_task`, and the fitted models in the order of the result's rows. Raises CelsaError."""
    models = {}
    result = run_task(
        config, dataset, task, on_model=lambda row, model: models.update({row["hash"]: model})
    )
    return result, [models[row["hash"]] for row in result.rows]


@dataclass(frozen=True)
class _Row:
    """A row to report: `method` at `seed`, known by `hash`."""

    method: MethodConfig
    seed: int
    hash: str


class _Run:
    """One call of `run_task`: what is wanted, what is there, and the models of now."""

    def __init__(self, config, dataset, task, stored, only, on_change, checkpoint, on_model):
        self.config, self.task = config, task
        self.on_change, self.on_model = on_change, on_model
        self.checksum = dataset.checksum
        self.wanted = [
            _Row(method, seed, config.row_hash(method, seed, dataset.checksum))
            for method in config.methods
            for seed in (config.seeds if method.name in GRADIENT_METHODS else config.seeds[:1])
        ]
        stored = stored or Result({})
        self.rows = {row["hash"]: row for row in stored.rows}
        self.missing = [
            row
            for row in self.wanted
            if row.hash not in self.rows and (not only or row.method.name in only)
        ]
        hashes = {row.hash for row in self.wanted}
        users = {key: values for key, values in stored.users.items() if key in hashes}
        self.result = Result(make_manifest(config, dataset), [], dict(stored.trials), users)
        self.tune_fits = Fits(task.tune_fit, checkpoint)
        self.fits = Fits(task.fit, checkpoint)

    def finish(self) -> Result:
        """Choose, then fit and evaluate what is missing, one seed after the other.

        The rows come in the config's order.
        """
        self._try_everything()
        jobs = [
            (row, (row.method.name, row.method.params | self._choice(row.method), row.seed))
            for row in self.missing
        ]
        self.fits.expect(model for _, model in jobs)
        for row, model in sorted(jobs, key=lambda job: (job[1][2], path_of(*job[1]))):
            self.rows[row.hash] = self._report(row, model)
            self._changed()
        self._changed()
        return self.result

    def _try_everything(self) -> None:
        """Validation nDCG@100 of every candidate of the missing methods."""
        seed = self.config.seeds[0]
        jobs = [
            (method.name, method.params | choice, seed)
            for method in self.config.methods
            for choice in method.candidates()
            if len(method.candidates()) > 1 and any(row.method is method for row in self.missing)
        ]
        jobs = [job for job in jobs if self._trial(*job[:2]) not in self.result.trials]
        self.tune_fits.expect(jobs)
        for job in sorted(jobs, key=lambda job: path_of(*job)):
            value = evaluate(self.tune_fits.fitted(*job), self.task.tune_folds).mean[TUNED_ON]
            self.result.trials[self._trial(*job[:2])] = round(float(value), 5)
            log.info("tried %s %s: %.4f", *job[:2], value)
            self._changed()

    def _trial(self, name: str, params: dict) -> str:
        """What a trial is known by: everything that decides its number."""
        return self.config.row_hash(MethodConfig(name, params), self.config.seeds[0], self.checksum)

    def _trials(self, method: MethodConfig) -> list[dict]:
        """Every choice of a grid with its validation result."""
        if len(method.candidates()) == 1:
            return []
        keys = [self._trial(method.name, method.params | c) for c in method.candidates()]
        return [
            {"choice": choice, TUNED_ON: self.result.trials[key]}
            for choice, key in zip(method.candidates(), keys, strict=True)
        ]

    def _choice(self, method: MethodConfig) -> dict:
        """The best of the grid on the validation users, the first of equals."""
        trials = self._trials(method)
        if not trials:
            return method.candidates()[0]
        return max(trials, key=lambda trial: trial[TUNED_ON])["choice"]

    def _report(self, row: _Row, wanted: tuple[str, dict, int]) -> dict:
        """Fit and evaluate the row `row`, which is the model `wanted`."""
        (name, params, seed), started = wanted, perf_counter()
        model = self.task.ready.get(name)
        if model is None:
            model = self.fits.fitted(*wanted)
        fitted = perf_counter()
        evaluation = evaluate(model, self.task.folds)
        done = perf_counter()
        self.result.users[row.hash] = evaluation.by_user()[TUNED_ON].to_numpy()
        log.info("%s %s: %.4f", label(row.method), params, evaluation.mean[TUNED_ON])
        found = {
            "hash": row.hash,
            "commit": self.result.manifest["code"]["commit"],
            "method": name,
            "label": label(row.method),
            "budget_bytes": model.bytes_per_item,
            "params": params,
            "seed": seed,
            "grid": {name: list(values) for name, values in row.method.grid.items()},
            "trials": self._trials(row.method),
            "mean": _rounded(evaluation.mean),
            "stderr": _rounded(evaluation.stderr),
            "seconds": round(done - started, 2),
            "seconds_fit": round(fitted - started, 2),
            "seconds_evaluate": round(done - fitted, 2),
        }
        found |= self.fits.about(name, params)
        self.on_model(found, model)
        return found

    def _changed(self) -> None:
        self.result.rows = [self.rows[row.hash] for row in self.wanted if row.hash in self.rows]
        self.result.manifest["seconds"] = round(sum(r["seconds"] for r in self.result.rows), 1)
        self.on_change(self.result)


def label(method: MethodConfig) -> str:
    """The method's name in tables and figures; a narrow ELSA is the paper's low-dimensional one."""
    if method.name == "Released":
        return "Released embeddings"
    if method.name == "ELSA" and method.params.get("width", 1024) <= 256:
        return "Low-dim ELSA"
    return MODELS[method.name].name


def _rounded(values: dict) -> dict:
    return {name: round(float(value), 5) for name, value in values.items()}
