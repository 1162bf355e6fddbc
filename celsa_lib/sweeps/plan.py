"""What a sweep's runs are, which are finished, and how long the others may take."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import median

from celsa_lib.book.fingerprint import notebook_digest
from celsa_lib.book.notebook import check_parameters, notebook_path
from celsa_lib.data import files_checksum
from celsa_lib.errors import ConfigError, StorageError
from celsa_lib.sweeps.config import Sweep


@dataclass(frozen=True)
class Run:
    """A notebook with one combination of parameters; `id` changes with anything that decides it.

    `target` is its notebook. `seconds` is what it took or may take, None where nobody knows.
    """

    id: str
    parameters: dict
    target: Path
    seconds: float | None

    @property
    def is_finished(self) -> bool:
        """Whether its notebook and, written last, its record are there."""
        return self.target.exists() and record_of(self.target).exists()


@dataclass(frozen=True)
class Plan:
    """All runs of a sweep over the notebook at `notebook`, relative to the folder `root`."""

    root: Path
    notebook: Path
    threads: int
    runs: tuple[Run, ...]

    @property
    def folder(self) -> str:
        """Name of the folder of its notebooks."""
        return self.notebook.stem

    @property
    def missing(self) -> list[Run]:
        """Runs that are not finished, as of now."""
        return [run for run in self.runs if not run.is_finished]


def make_plan(sweep: Sweep, root: Path, out: Path, fetch: bool = False) -> Plan:
    """The runs of `sweep`, kept in `<out>/<notebook>/`; with `fetch`, data is downloaded first.

    Raises ConfigError for a parameter that the notebook does not have or of another type,
    DatasetNotFoundError for an unknown dataset.
    """
    notebook = notebook_path(sweep.notebook)
    folder = out / notebook.stem
    records = read_records(folder, notebook)
    checksum = cache(partial(files_checksum, fetch=fetch))  # large files are read once
    runs = []
    for given in sweep.combinations():
        parameters = typed(root / notebook, given)
        name = run_id(root, notebook, parameters, checksum)
        seconds = recorded_seconds(records, name, parameters)
        seconds = sweep.expected_seconds(given) if seconds is None else seconds
        runs.append(Run(name, parameters, folder / f"{name}.ipynb", seconds))
    return Plan(root, notebook, sweep.threads, tuple(runs))


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


def run_id(root: Path, notebook: Path, parameters: dict, checksum: Callable[[str], str]) -> str:
    """Sixteen hex digits of what decides a run's outputs."""
    return notebook_digest(root, notebook, parameters, checksum)[:16]


def record_of(target: Path) -> Path:
    """Where the record of a run is, beside its notebook."""
    return target.with_suffix(".json")


def read_records(folder: Path, notebook: Path) -> list[dict]:
    """Id, parameters and seconds of all runs of `notebook` finished in `folder`.

    Runs of earlier code are among them: their times are the best guess for the same again.
    Raises StorageError.
    """
    records = [_read_record(path) for path in sorted(folder.glob("*.json"))]
    return [record for record in records if record["notebook"] == str(notebook)]


def _read_record(path: Path) -> dict:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {name: record[name] for name in ("id", "notebook", "parameters", "seconds")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path} is not the record of a run; delete it: {error!r}") from error


def recorded_seconds(records: list[dict], name: str, parameters: dict) -> float | None:
    """What run `name` took, else the median of runs that differ in seed and code at most."""
    own = [record["seconds"] for record in records if record["id"] == name]
    like = [r["seconds"] for r in records if _but_seed(r["parameters"]) == _but_seed(parameters)]
    return median(own or like) if like else None


def _but_seed(parameters: dict) -> dict:
    return {name: value for name, value in parameters.items() if name not in ("seed", "seeds")}
