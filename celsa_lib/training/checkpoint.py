"""A training run as one file, from which it goes on to the same bits; no pickle."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.errors import StorageError
from celsa_lib.files import write_whole

FORMAT = "celsa-training-checkpoint 1"
NOT_NUMBERS = {"checkpoint", "validate", "progress"}  # options that do not change the result


@dataclass
class Progress:
    """Where a run stands: `epochs` of node `node` are done.

    histories: one list a node. arrays: what the loop needs, by name (rows, optimiser, finished).
    """

    node: int = 0
    epochs: int = 0
    histories: list[list[dict]] = field(default_factory=list)
    optimiser: dict = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def fingerprint(X: csr_matrix, width: int, paths, restart: bool, options) -> str:
    """Changes with everything that decides the result: data, stages, options."""
    numbers = {k: v for k, v in vars(options).items() if k not in NOT_NUMBERS}
    stages = [[asdict(stage) for stage in path] for path in paths]
    what = json.dumps([X.shape, width, stages, restart, numbers], sort_keys=True)
    digest = hashlib.sha256(what.encode())
    digest.update(np.ascontiguousarray(X.indptr, dtype=np.int64))
    digest.update(np.ascontiguousarray(X.indices, dtype=np.int64))
    return digest.hexdigest()


def save(path: str | Path, mark: str, progress: Progress) -> None:
    """Write `progress` of the run `mark`, whole or not at all. Raises StorageError."""
    header = {
        "format": FORMAT,
        "run": mark,
        "node": progress.node,
        "epochs": progress.epochs,
        "histories": progress.histories,
        "optimiser": progress.optimiser,
    }
    arrays = {"header": np.array(json.dumps(header)), **progress.arrays}
    write_whole(path, lambda file: np.savez(file, **arrays))


def load(path: str | Path, mark: str) -> Progress | None:
    """What `save` wrote, None without a file. Raises StorageError if it is of another run."""
    if not Path(path).exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            header = json.loads(str(stored["header"]))
            arrays = {name: stored[name] for name in stored.files if name != "header"}
        if header.pop("format") != FORMAT:
            raise ValueError("another format")
        run = header.pop("run")
        progress = Progress(**header, arrays=arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise StorageError(
            f"{path} is not a checkpoint of celsa's training, or is damaged ({error}); delete it "
            f"to start anew"
        ) from error
    if run != mark:
        raise StorageError(
            f"{path} belongs to a run on other data or with other parameters; choose another "
            f"checkpoint file, or delete this one to start anew"
        )
    return progress
