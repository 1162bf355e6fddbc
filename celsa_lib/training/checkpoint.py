"""A training run as one file, from which it goes on to the same bits; no pickle."""

import hashlib
import json
from contextlib import ExitStack
from dataclasses import asdict
from os import PathLike
from pathlib import Path

import numpy as np

from celsa_lib.arrays import save_arrays, stored_arrays
from celsa_lib.errors import ConfigError, StorageError
from celsa_lib.files import remove_leftovers
from celsa_lib.training.callbacks import Callback
from celsa_lib.training.state import arrays_of_rows

FORMAT = "celsa-training-checkpoint"
VERSION = 3  # 2 had no checksum
ANEW = "delete it to start anew"


class Checkpoint(Callback):
    """Keeps a run in the file `path` after each epoch; a killed run goes on from there.

    The file is removed when the run ends. Raises StorageError if it is of another run.
    """

    def __init__(self, path: str | Path):
        if not isinstance(path, str | PathLike):
            raise ConfigError(f"a checkpoint is kept in a file; pass its path, not {path!r}")
        self.path = Path(path).expanduser()

    def begin(self, run) -> None:
        """See Callback."""
        self.mark = fingerprint(run)
        with ExitStack() as stack:
            found = run.shard.dealt_state(self._stored(stack) if run.shard.leads else None)
            if found is not None:
                run.restore(*found)

    def _stored(self, stack: ExitStack) -> tuple[dict, dict] | None:
        """State and arrays in the file, for use before `stack` ends; None where there is none."""
        remove_leftovers(self.path)  # of a run that was killed while it wrote
        if not self.path.exists():
            return None
        stored = stored_arrays(self.path, FORMAT, VERSION, "a training run", ANEW)
        header, arrays = stack.enter_context(stored)
        if header["run"] != self.mark:
            raise StorageError(
                f"{self.path} belongs to a run on other data or with other parameters; choose "
                f"another checkpoint file, or delete this one to start anew"
            )
        return header["state"], arrays

    def pause(self, run) -> None:
        """See Callback."""
        state, arrays = run.state()
        whole = run.shard.whole(arrays)
        if whole is not None:
            header = {"format": FORMAT, "version": VERSION, "run": self.mark, "state": state}
            save_arrays(self.path, header, whole, compress=False)

    def end(self, run) -> None:
        """See Callback."""
        if run.shard.leads:
            self.path.unlink(missing_ok=True)


def fingerprint(run) -> str | None:
    """Changes with everything that decides a run's result: data, stages, options.

    Only process 0 has it: it knows all rows that the run starts from.
    """
    options = asdict(run.options)
    del options["progress"]
    nodes = [[asdict(node.stage), node.parent] for node in run.plan.nodes]
    what = [run.X.shape, run.width, nodes, run.plan.ends, run.restart, options]
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
    if run.initial.starts is not None or run.initial.nnz < run.width:  # else it is the seed's
        whole = run.shard.whole(arrays_of_rows("start", run.initial))
        if whole is None:
            return None
        for name, array in sorted(whole.items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(array))
    digest.update(np.ascontiguousarray(run.X.indptr, dtype=np.int64))
    digest.update(np.ascontiguousarray(run.X.indices, dtype=np.int64))
    return digest.hexdigest()
