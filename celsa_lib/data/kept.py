"""Histories kept on disk: arrays with their digests, mapped into memory where these hold."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from scipy.sparse import csr_matrix

from celsa_lib.arrays import check_csr
from celsa_lib.data.checks import sha256_of
from celsa_lib.errors import StorageError

ABOUT, VERSION_OF_STORE = "about.json", 2  # 1 had no digests
AXES = "users", "items"
IDS = "ids_of_{}.parquet"
CSR, TIMES = ("data", "indices", "indptr"), "times"
RECORDED = "bytes and sha256"  # of each file, in ABOUT


class Histories(NamedTuple):
    """X (users × items, CSR of ones), ids of its axes, ascending; checksum of the files; times of
    the interactions, in the order of X.data, where they are read.
    """

    X: csr_matrix
    user_ids: np.ndarray
    item_ids: np.ndarray
    checksum: str
    times: np.ndarray | None = None


def seal_store(folder: Path, ids: tuple[np.ndarray, np.ndarray], about: dict) -> None:
    """Put ids and `about` beside the arrays that lie in `folder`, with the digests of all."""
    for axis, of_axis in zip(AXES, ids, strict=True):
        parquet.write_table(pa.table({"id": of_axis}), folder / IDS.format(axis))
    recorded = {path.name: _recorded(path) for path in sorted(folder.iterdir())}
    (folder / ABOUT).write_text(json.dumps(about | {RECORDED: recorded}))


def open_store(store: Path, about: dict) -> Histories:
    """What `store` keeps, mapped into memory. Raises StorageError unless that is `about`, whole."""
    try:
        found = json.loads((store / ABOUT).read_text())
        recorded = found.pop(RECORDED, None)
        if found != about:
            raise StorageError(
                f"{store} keeps other files, or the same read with other options; name another "
                "folder, or delete this one"
            )
        timed = [TIMES] if about["time"] is not None else []
        arrays = [f"{name}.npy" for name in (*CSR, *timed)]
        names = [*arrays, *(IDS.format(axis) for axis in AXES)]
        if sorted(recorded) != sorted(names):
            raise ValueError("other files are recorded")
        for name in names:
            if _recorded(store / name, recorded[name][0]) != recorded[name]:
                raise ValueError(f"{name} is not as recorded")
        mapped = [np.load(store / name, mmap_mode="r") for name in arrays]
        ids = [
            parquet.read_table(store / IDS.format(axis))["id"].to_pandas().to_numpy()
            for axis in AXES
        ]
        X = csr_matrix(tuple(mapped[:3]), shape=tuple(map(len, ids)))
        check_csr(X)
    except StorageError:
        raise
    except Exception as error:
        raise StorageError(
            f"{store} keeps no interactions, or is damaged ({type(error).__name__}); name another "
            "folder, or delete this one"
        ) from error
    return Histories(X, *ids, about["checksum"], *mapped[3:])


def _recorded(path: Path, expected: int | None = None) -> list:
    """Bytes and sha256 of a file; no digest where it has not the `expected` bytes."""
    size = path.stat().st_size
    return [size, sha256_of([path]) if expected in (None, size) else ""]
