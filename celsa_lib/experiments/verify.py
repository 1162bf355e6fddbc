"""Stored results checked: every row by its digest, one row of a study by computing it again."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from celsa_lib.data import Dataset
from celsa_lib.errors import DatasetNotFoundError, DownloadError
from celsa_lib.evaluation import evaluate
from celsa_lib.experiments.config import ExperimentConfig
from celsa_lib.experiments.data_size import divide, training_sets
from celsa_lib.experiments.deviations import protocol_deviations
from celsa_lib.experiments.fit_cache import FitCache
from celsa_lib.experiments.interpretability import COHERENCE
from celsa_lib.experiments.real_bytes import forms_of
from celsa_lib.experiments.run import TUNED_ON
from celsa_lib.experiments.segment_study import OWN, SegmentStudy
from celsa_lib.experiments.task import Task, prepare
from celsa_lib.models.registry import OURS, RECOMMENDED, by_name
from celsa_lib.results import (
    BYTES,
    DATA_SIZE,
    DEVIATIONS,
    METHOD_STUDY,
    SEGMENTS,
    UNKNOWN,
    Result,
    fit_seconds,
    load_result,
)
from celsa_lib.segments import group_items

# Of nDCG@100 where the row says its precision. Machines round differently, and rounding decides
# which of two nearly equal entries survives a prune: as if it were another seed, which moves a row
# by about half as much.
TOLERANCE = 0.002


@dataclass(frozen=True)
class Recomputed:
    """A stored row computed again: which, its number then and now, how far apart they may be."""

    what: str
    stored: float
    found: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether the two are within the tolerance."""
        return abs(self.found - self.stored) <= self.tolerance


@dataclass(frozen=True)
class Verification:
    """One stored result: how many rows, the changed ones, a recomputed one or why there is none.

    altered: rows were added or removed, or its record of runs and choices is another. unsealed: an
    older file without a digest of its own, of which that cannot be told.
    """

    name: str
    rows: int
    changed: list[dict]
    altered: bool
    unsealed: bool
    recomputed: Recomputed | None
    why_not: str = ""

    @property
    def holds(self) -> bool:
        """Whether nothing is changed and no row computed again is another."""
        intact = not self.changed and not self.altered
        return intact and (self.recomputed is None or self.recomputed.agrees)


def verify(path: Path) -> Verification:
    """The stored result at `path`, checked. Raises StorageError, and CelsaError of its training."""
    stored = load_result(path)
    whole = stored.is_altered(), stored.digest is None
    found = path.stem, len(stored.rows), stored.changed_rows(), *whole
    if stored.kind not in CHECKS:
        return Verification(*found, None, "a benchmark, of its machine alone: by digest")
    try:
        return Verification(*found, recompute(stored))
    except (DatasetNotFoundError, DownloadError):
        return Verification(*found, None, "its data is not here: by digest alone")


def recompute(stored: Result) -> Recomputed:
    """One row of a study computed again, by the configuration that is stored with it.

    Raises CelsaError.
    """
    config = ExperimentConfig.from_json(json.dumps(stored.manifest["config"]))
    return CHECKS[stored.kind](stored, config, *prepare(config))


def of_methods(stored: Result, config: ExperimentConfig, data: Dataset, task: Task) -> Recomputed:
    """The model that was trained in the shortest time, fitted and tested again."""
    row = min(
        (row for row in stored.rows if by_name(row["method"]).trained),
        key=fit_seconds,
    )
    model = FitCache(task.fit, task.item_ids).fitted(row["method"], row["params"], row["seed"])
    found = evaluate(model, task.folds).mean[TUNED_ON]
    what = f"{row['label']}, {row['budget_bytes']:,} B, seed {row['seed']}"
    return Recomputed(what, row["mean"][TUNED_ON], float(found), _tolerance(row, TUNED_ON))


def of_data_sizes(
    stored: Result, config: ExperimentConfig, data: Dataset, task: Task
) -> Recomputed:
    """The smallest model that was trained on the fewest interactions, tested on one group."""
    trained = [row for row in stored.rows if by_name(row["method"]).trained]
    row = min(trained, key=lambda row: (row["interactions"], row["budget_bytes"]))
    X, groups = divide(config, task)
    part = training_sets(X, config.split_seed)[row["trained on"]]
    model = FitCache(part, task.item_ids).fitted(row["method"], row["params"], row["seed"])
    found = evaluate(model, groups[row["tested on"]]).mean[TUNED_ON]
    what = f"{row['method']}, {row['budget_bytes']:,} B, trained on {row['trained on']}"
    return Recomputed(what, row[TUNED_ON], float(found), _tolerance(row))


def of_deviations(
    stored: Result, config: ExperimentConfig, data: Dataset, task: Task
) -> Recomputed:
    """Compressed ELSA, trained again, with the first deviation of the protocol."""
    (method,) = config.methods
    model = FitCache(task.fit, task.item_ids).fitted(method.name, method.params, config.seeds[0])
    deviation, _, _, released = next(protocol_deviations(task, OURS, model))
    (row,) = stored.select(deviation=deviation, model=OURS)
    found = released.mean[TUNED_ON]
    return Recomputed(f"{OURS}, {deviation}", row["as released"], float(found), _tolerance(row))


def of_segments(stored: Result, config: ExperimentConfig, data: Dataset, task: Task) -> Recomputed:
    """Coherence of raw groups of Compressed ELSA, trained again with the first seed.

    It may come out anywhere within the stored 95 % interval over groups.
    """
    study = SegmentStudy(replace(config, seeds=config.seeds[:1]), data, task, None)
    (row,) = stored.select(
        section="groupings", space=OWN, grouping="raw groups", measure=next(iter(COHERENCE))
    )
    members = group_items(study.own[0].matrix).members
    found = COHERENCE[row["measure"]](study, members).mean().value
    what = f"raw groups of {OWN}, {row['measure']}"
    return Recomputed(what, row["value"], float(found), (row["high"] - row["low"]) / 2)


def of_real_bytes(
    stored: Result, config: ExperimentConfig, data: Dataset, task: Task
) -> Recomputed:
    """The smallest of the recommended setting, trained and packed again at 4 bits."""
    rows = stored.select(label=RECOMMENDED, form="4 bits")
    row = min(rows, key=lambda row: row["bytes_per_item"])
    model = FitCache(task.fit, task.item_ids).fitted(row["method"], row["params"], row["seed"])
    with TemporaryDirectory() as folder:
        packed, size = forms_of(model, Path(folder))[row["form"]]()
        found = evaluate(packed, task.folds).mean[TUNED_ON]
    what = f"{row['label']}, {row['form']}, {size:.1f} B of a file, seed {row['seed']}"
    return Recomputed(what, row["mean"][TUNED_ON], float(found), TOLERANCE)


def _tolerance(row: dict, metric: str = "") -> float:
    """TOLERANCE, or one standard error where products may have been rounded when it was made."""
    error = row["stderr"][metric] if metric else row["stderr"]
    return TOLERANCE if row.get("precision", UNKNOWN) != UNKNOWN else error


CHECKS = {
    METHOD_STUDY: of_methods,
    DATA_SIZE: of_data_sizes,
    DEVIATIONS: of_deviations,
    SEGMENTS: of_segments,
    BYTES: of_real_bytes,
}
