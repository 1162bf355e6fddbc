"""The notebook runs of a sweep or of the book, and how long each may take."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from celsa_lib.book.notebook import check_parameters, default_parameters, notebook_path
from celsa_lib.data import dataset_info
from celsa_lib.errors import ConfigError
from celsa_lib.workflow.digests import decided_by, name_of
from celsa_lib.workflow.sweep import Sweep


@dataclass(frozen=True)
class NotebookRun:
    """A notebook (relative to its root) with `parameters`, run into `<target>.ipynb`.

    `target` is relative to the workflow's folder. `dataset` is the one that it reads, "" for none.
    `seconds`: what it took or may take, None where nobody knows.
    """

    target: str
    notebook: Path
    parameters: dict
    decided_by: dict
    dataset: str = ""
    seconds: float | None = None

    def as_config(self) -> dict:
        """What the workflow's rules are given of it."""
        return {
            "notebook": str(self.notebook),
            "parameters": self.parameters,
            "decided_by": self.decided_by,
            "dataset": self.dataset,
        }


def notebook_run(root: Path, notebook: Path, parameters: dict, target: str, **more) -> NotebookRun:
    """A run with all that decides it. Raises DatasetNotFoundError for an unknown dataset."""
    dataset = (default_parameters(root / notebook) | parameters).get("dataset", "")
    if dataset:
        dataset_info(dataset)
    decides = decided_by(root, notebook, parameters)
    return NotebookRun(target, notebook, parameters, decides, dataset, **more)


def runs_of(sweep: Sweep, root: Path, out: Path) -> list[NotebookRun]:
    """A run per combination of a sweep's parameters, kept in `<out>/<notebook>/`.

    Raises ConfigError for a parameter that the notebook does not have or of another type,
    DatasetNotFoundError for an unknown dataset.
    """
    notebook, found = notebook_path(sweep.notebook), []
    for given in sweep.combinations():
        parameters = typed(root / notebook, given)
        target = f"{notebook.stem}/{name_of(parameters)}"
        seconds = measured_seconds(out, target) or seconds_of_seeds(sweep, out, notebook, given)
        seconds = sweep.expected_seconds(given) if seconds is None else seconds
        found.append(notebook_run(root, notebook, parameters, target, seconds=seconds))
    return found


def typed(path: Path, given: dict) -> dict:
    """`given` with the types of the notebook's defaults. Raises ConfigError, StorageError."""
    texts = {name: v if isinstance(v, str) else json.dumps(v) for name, v in given.items()}
    parameters = check_parameters(path, texts)
    for name, value in parameters.items():
        if value != given[name]:  # a string for a number, or the other way round
            raise ConfigError(
                f"parameter {name} of {path.name} must be like {value!r}, got {given[name]!r}"
            )
    return parameters


def measured_seconds(out: Path, target: str) -> float | None:
    """What a run took when it was last made, as Snakemake measured it; None if it never was."""
    path = out / "times" / f"{target}.tsv"
    if not path.exists():
        return None
    with path.open(encoding="utf-8") as file:
        return next((float(line["s"]) for line in csv.DictReader(file, delimiter="\t")), None)


def seconds_of_seeds(sweep: Sweep, out: Path, notebook: Path, given: dict) -> float | None:
    """The median of what runs of a sweep took that differ from `given` in the seed at most."""
    alike = [c for c in sweep.combinations() if _but_seed(c) == _but_seed(given)]
    targets = [f"{notebook.stem}/{name_of(parameters)}" for parameters in alike]
    taken = [s for s in (measured_seconds(out, target) for target in targets) if s is not None]
    return median(taken) if taken else None


def _but_seed(parameters: dict) -> dict:
    return {name: value for name, value in parameters.items() if name not in ("seed", "seeds")}
