"""Run an experiment: choose on validation users, fit on all others, report on test users."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from celsa_lib.data import Dataset
from celsa_lib.errors import TrainingError
from celsa_lib.evaluation import evaluate
from celsa_lib.evaluation.exposure import exposure
from celsa_lib.experiments.config import ExperimentConfig, MethodConfig
from celsa_lib.experiments.countdown import Countdown
from celsa_lib.experiments.fit_cache import FitCache, order_of
from celsa_lib.experiments.grids import widened
from celsa_lib.experiments.manifest import make_manifest
from celsa_lib.experiments.task import Task, prepare
from celsa_lib.models import Recommender
from celsa_lib.models.registry import by_name
from celsa_lib.results import Result

log = logging.getLogger(__name__)

TUNED_ON = "ndcg@100"


def run(config: ExperimentConfig, dataset: Dataset | None = None) -> Result:
    """Divide the users of the data, run every method. Raises CelsaError.

    `dataset`: the data of the configuration, loaded where it is not given.
    """
    return run_task(config, *prepare(config, dataset))


def run_task(
    config: ExperimentConfig,
    dataset: Dataset,
    task: Task,
    stored: Result | None = None,
    only: tuple[str, ...] = (),
    on_change: Callable[[Result], None] = lambda result: None,
    checkpoint: Path | None = None,
    on_model: Callable[[dict, Recommender], None] = lambda row, model: None,
    widenings: int = 0,
) -> Result:
    """Every method × seed of the config; what `stored` has with the same hash is taken as it is,
    where the values of its users are there.

    What is left to choose is chosen once per method, with the first seed. `only` names the methods
    to compute, by class or as tables call them, all without it. `on_change` is called with the result so far after each new trial
    or row, `on_model` with each new row and the model it is about. `checkpoint`: a file beside
    which Compressed ELSA keeps where it is, to go on there. A grid whose end is chosen goes on
    beyond it, up to `widenings` times.
    """
    told = on_change, on_model
    return _TaskRun(config, dataset, task, stored, only, checkpoint, told, widenings).finish()


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
    """A row to report: `method` of the config as it was `chosen`, at `seed`, known by `hash`."""

    method: MethodConfig
    chosen: MethodConfig
    seed: int
    hash: str

    @property
    def model(self) -> tuple[str, dict, int]:
        """What `FitCache` is asked for."""
        return self.chosen.name, self.chosen.params, self.seed


class _TaskRun:
    """One call of `run_task`: what is wanted, what is there, and the models of now."""

    def __init__(self, config, dataset, task, stored, only, checkpoint, told, widenings):
        self.config, self.task = config, task
        self.on_change, self.on_model = told
        self.checksum, self.hashes = dataset.checksum, {}
        self.every, self.only = list(config.methods), only
        self.steps = [widenings] * len(self.every)
        stored = stored or Result({})
        self.rows = {row["hash"]: row for row in stored.intact_rows()}
        self.users = dict(stored.users)
        manifest = make_manifest(config, dataset) | {"users": task.users}
        if task.by_time:
            manifest["by_time"] = task.by_time
        manifest["runs"] = stored.manifest.get("runs", {}) | manifest["runs"]
        self.result = Result(manifest, [], dict(stored.trials))
        self.checkpoint = checkpoint
        self.popularity = np.asarray(task.fit.sum(axis=0)).ravel()
        self.fits = FitCache(task.fit, task.item_ids, checkpoint)

    @property
    def methods(self) -> list[MethodConfig]:
        """The methods to compute, their grids as wide as they are by now."""
        return [
            method
            for method in self.every
            if not self.only or names_of(method, self.config.methods) & {*self.only}
        ]

    def finish(self) -> Result:
        """Choose, then fit and evaluate what is missing, one seed after the other.

        The rows come in the config's order.
        """
        self._try_everything()
        missing = [r for m in self.methods for r in self._rows_of(m) if r.hash not in self.rows]
        self.fits.expect(row.model for row in missing)
        first = {}  # place of each path: the methods' order, those of one path together
        for row in missing:
            first.setdefault(order_of(*row.model), len(first))
        progress = Countdown("model", len(missing))
        for row in sorted(missing, key=lambda row: (row.seed, first[order_of(*row.model)])):
            self.rows[row.hash] = self._report(row)
            progress.step()
            self._changed()
        self._changed()
        return self.result

    def _try_everything(self) -> None:
        """Try every candidate, and what lies beyond the ends of grids that are chosen."""
        asked = {self._hash(*job) for job in self._untried()}
        progress = Countdown("trial")
        self._widen()  # as far as stored trials say: else a row of such a choice would be dropped
        while jobs := self._untried():
            fits = FitCache(self.task.tune_fit, self.task.item_ids, self.checkpoint)
            fits.expect(jobs)
            progress.expect(len(jobs))
            for job in sorted(jobs, key=lambda job: order_of(*job)):
                value = self._tried(fits, job, forgiving=self._hash(*job) not in asked)
                self.result.trials[self._hash(*job)] = round(value, 5)
                log.info("tried %s %s: %.4f", *job[:2], value)
                progress.step()
                self._changed()
            self._widen()

    def _untried(self) -> list[tuple[str, dict, int]]:
        """The candidates without a trial, of the methods that have a choice."""
        return [
            (candidate.name, candidate.params, self.config.seeds[0])
            for method in self.methods
            for candidate in method.candidates()
            if method.has_choice and self._trial(candidate) is None
        ]

    def _widen(self) -> None:
        """Let each grid go on where its choice stands at an end, once all of it was tried."""
        for place, method in enumerate(self.every):
            while self.steps[place] and self._is_tried(method):
                method = widened(method, self._trial)
                if method is None:
                    break
                self.every[place] = method
                self.steps[place] -= 1

    def _tried(self, fits: FitCache, job: tuple[str, dict, int], forgiving: bool) -> float:
        """Validation nDCG@100. forgiving: 0 for what leaves the finite numbers, not an error."""
        try:
            return float(evaluate(fits.fitted(*job), self.task.tune_folds).mean[TUNED_ON])
        except TrainingError:
            if not forgiving:
                raise
            return 0.0

    def _hash(self, name: str, params: dict, seed: int) -> str:
        key = name, repr(params), seed
        if key not in self.hashes:  # asked for again after every trial
            method = MethodConfig(name, params)
            self.hashes[key] = self.config.row_hash(method, seed, self.checksum)
        return self.hashes[key]

    def _trial(self, candidate: MethodConfig) -> float | None:
        """Validation nDCG@100 of a candidate with the first seed; None if it was not tried."""
        found = self._hash(candidate.name, candidate.params, self.config.seeds[0])
        return self.result.trials.get(found)

    def _trials(self, method: MethodConfig) -> list[dict]:
        """Every choice of a grid with its validation result."""
        if not method.has_choice:
            return []
        return [
            {"choice": {name: c.params[name] for name in method.grid}, TUNED_ON: self._trial(c)}
            for c in method.candidates()
        ]

    def _chosen(self, method: MethodConfig) -> list[MethodConfig]:
        """The best of the grid on the validation users, the first of equals.

        All of the grid while one is not tried, so that what is stored of them is not dropped.
        """
        candidates = method.candidates()
        return [max(candidates, key=self._trial)] if self._is_tried(method) else candidates

    def _is_tried(self, method: MethodConfig) -> bool:
        """Whether there is a choice, and a trial of every candidate."""
        return method.has_choice and None not in map(self._trial, method.candidates())

    def _rows_of(self, method: MethodConfig) -> list[_Row]:
        """The rows of a method: one per seed where training has one."""
        count = method.n_seeds if by_name(method.name).trained else 1
        return [
            _Row(method, chosen, seed, self._hash(chosen.name, chosen.params, seed))
            for seed in self.config.seeds[:count]
            for chosen in self._chosen(method)
        ]

    def _report(self, row: _Row) -> dict:
        """Fit and evaluate a row's model."""
        (name, params, seed), started = row.model, perf_counter()
        model = self.task.ready.get(name)
        if model is None:
            model = self.fits.fitted(*row.model)
        fitted = perf_counter()
        evaluation = evaluate(model, self.task.folds)
        done = perf_counter()
        self.users[row.hash] = evaluation.by_user()[TUNED_ON].to_numpy()
        log.info("%s %s: %.4f", name, params, evaluation.mean[TUNED_ON])
        found = {
            "hash": row.hash,
            "method": name,
            "label": label(row.method, self.config.methods),
            "budget_bytes": 8 * params["nnz"] if "nnz" in params else model.bytes_per_item,
            "params": params,
            "seed": seed,
            "mean": rounded(evaluation.mean),
            "stderr": rounded(evaluation.stderr),
            "seconds": round(done - started, 2),
            "seconds_fit": round(fitted - started, 2),
            "seconds_evaluate": round(done - fitted, 2),
        }
        if model.bytes_per_item < found["budget_bytes"]:
            found["held_bytes"] = model.bytes_per_item
        shown = exposure(model, self.task.folds, self.popularity)
        found |= {"coverage@50": round(shown.coverage, 5), "rare recall@50": round(shown.rare, 5)}
        found |= self.fits.about(name, params)
        if hasattr(model, "resolved_"):  # what recipe and data have filled in
            found["resolved"] = {k: v for k, v in model.resolved_.items() if v is not None}
        if by_name(name).trained:
            found |= {"precision": model.precision_, "backend": model.backend_}
        self.on_model(found, model)
        return found

    def _changed(self) -> None:
        """Hand over what there is, each row with the choice that its method had."""
        self.result.rows = [
            self.rows[row.hash] | self._choice_of(method)
            for method in self.every
            for row in self._rows_of(method)
            if row.hash in self.rows
        ]
        kept = {row["hash"] for row in self.result.rows}
        self.result.users = {key: values for key, values in self.users.items() if key in kept}
        self.result.manifest["seconds"] = round(sum(r["seconds"] for r in self.result.rows), 1)
        self.result.seal()
        self.on_change(self.result)

    def _choice_of(self, method: MethodConfig) -> dict:
        grid = {name: list(values) for name, values in method.grid.items()}
        tried = [trial for trial in self._trials(method) if trial[TUNED_ON] is not None]
        return {"grid": grid, "trials": tried}


def names_of(method: MethodConfig, among: Iterable[MethodConfig]) -> set[str]:
    """What a method is called: its class, and its name in tables."""
    return {method.name, label(method, among)}


def label(method: MethodConfig, among: Iterable[MethodConfig]) -> str:
    """The method's name in tables and figures, of several that are compared.

    An ELSA as small as one of the compressed methods is the paper's low-dimensional one.
    """
    budgets = {8 * other.params["nnz"] for other in among if "nnz" in other.params}
    narrow = method.name == "ELSA" and 4 * method.params.get("width", 1024) in budgets
    return by_name(method.name, narrow, method.params).label


def rounded(values: dict) -> dict:
    """Metrics as rows have them: five digits."""
    return {name: round(float(value), 5) for name, value in values.items()}
