"""Stored results checked: every row by its digest, one row of a study by computing it again."""

from dataclasses import dataclass
from pathlib import Path

from celsa_lib.errors import DatasetNotFoundError, DownloadError
from celsa_lib.evaluation import evaluate
from celsa_lib.experiments.config import ExperimentConfig
from celsa_lib.experiments.fit_cache import FitCache
from celsa_lib.experiments.run import TUNED_ON
from celsa_lib.experiments.studies import STUDIES, prepare
from celsa_lib.models import by_name
from celsa_lib.results import UNKNOWN, Result, load_result

TOLERANCE = 0.001  # of nDCG@100 where the row says its precision; machines round differently
# Where it does not, products may have been rounded: one standard error over the test users.


@dataclass(frozen=True)
class Recomputed:
    """A stored row computed again: which, nDCG@100 then and now, and how far apart they may be."""

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
    """One stored result: how many rows, the changed ones, a recomputed one or why there is none."""

    name: str
    rows: int
    changed: list[dict]
    recomputed: Recomputed | None
    why_not: str = ""

    @property
    def holds(self) -> bool:
        """Whether no row is changed and none computed again is another."""
        return not self.changed and (self.recomputed is None or self.recomputed.agrees)


def verify(path: Path) -> Verification:
    """The stored result at `path`, checked. Raises StorageError, and CelsaError of its training."""
    stored = load_result(path)
    found = path.stem, len(stored.rows), stored.changed_rows()
    if path.stem not in STUDIES:
        return Verification(*found, None, "not a study of methods: by digest alone")
    try:
        return Verification(*found, recompute(stored, STUDIES[path.stem].config()))
    except (DatasetNotFoundError, DownloadError):
        return Verification(*found, None, "its data is not here: by digest alone")


def recompute(stored: Result, config: ExperimentConfig) -> Recomputed:
    """The cheapest row of a study that was trained, fitted and tested again. Raises CelsaError."""
    _, task = prepare(config)
    row = min(
        (row for row in stored.rows if by_name(row["method"]).trained),
        key=lambda row: row["path"]["seconds"] if "path" in row else row["seconds_fit"],
    )
    model = FitCache(task.fit, task.item_ids).fitted(row["method"], row["params"], row["seed"])
    found = evaluate(model, task.folds).mean[TUNED_ON]
    known = row["precision"] != UNKNOWN
    tolerance = TOLERANCE if known else row["stderr"][TUNED_ON]
    what = f"{row['label']}, {row['budget_bytes']:,} B, seed {row['seed']}"
    return Recomputed(what, row["mean"][TUNED_ON], float(found), tolerance)
