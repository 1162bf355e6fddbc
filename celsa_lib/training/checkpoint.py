"""A training run as one file, from which it goes on to the same bits; no pickle."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from celsa_lib.errors import StorageError
from celsa_lib.files import remove_leftovers, write_whole
from celsa_lib.training.callbacks import Callback

FORMAT = "celsa-training-checkpoint 2"


class Checkpoint(Callback):
    """Keeps a run in the file `path` after each epoch; a killed run goes on from there.

    The file is removed when the run ends. Raises StorageError if it is of another run.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def begin(self, run) -> None:
        """See Callback."""
        remove_leftovers(self.path)  # of a run that was killed while it wrote
        self.mark = fingerprint(run)
        if self.path.exists():
            run.restore(*self._load())

    def pause(self, run) -> None:
        """See Callback."""
        state, arrays = run.state()
        header = json.dumps({"format": FORMAT, "run": self.mark, "state": state})
        stored = {"header": np.array(header), **arrays}
        write_whole(self.path, lambda file: np.savez(file, **stored))

    def end(self, run) -> None:
        """See Callback."""
        self.path.unlink(missing_ok=True)

    def _load(self) -> tuple[dict, dict[str, np.ndarray]]:
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                header = json.loads(str(stored["header"]))
                arrays = {name: stored[name] for name in stored.files if name != "header"}
            if header["format"] != FORMAT:
                raise ValueError("another format")
            mark, state = header["run"], header["state"]
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise StorageError(
                f"{self.path} is not a checkpoint of celsa's training, or is damaged ({error}); "
                f"delete it to start anew"
            ) from error
        if mark != self.mark:
            raise StorageError(
                f"{self.path} belongs to a run on other data or with other parameters; choose "
                f"another checkpoint file, or delete this one to start anew"
            )
        return state, arrays


def fingerprint(run) -> str:
    """Changes with everything that decides a run's result: data, stages, options."""
    options = asdict(run.options)
    del options["progress"]
    nodes = [[asdict(node.stage), node.parent] for node in run.plan.nodes]
    what = [run.X.shape, run.width, nodes, run.plan.ends, run.restart, options]
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
    if run.initial.starts is not None:  # else the start follows from the seed
        for part in run.initial.flat():
            digest.update(part.cpu().numpy())
    digest.update(np.ascontiguousarray(run.X.indptr, dtype=np.int64))
    digest.update(np.ascontiguousarray(run.X.indices, dtype=np.int64))
    return digest.hexdigest()
