"""Interactions that are larger than the memory: Parquet folders in a stream, histories on disk.

Rows are read once, a batch at a time. Ids become numbers as they come, kept in a file; histories
are sorted in a second file, from which they are mapped into memory.
"""

import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix

from celsa_lib.data.checks import reading, sha256_of
from celsa_lib.data.folders import STREAMED_ROWS, ParquetRows, parquet_files, record_batches
from celsa_lib.data.ids import ids_of
from celsa_lib.data.kept import (
    ABOUT,
    TIMES,
    VERSION_OF_STORE,
    Histories,
    open_store,
    seal_store,
)
from celsa_lib.data.ratings import ratings_of
from celsa_lib.data.time_stream import TimeStream
from celsa_lib.errors import DataError, StorageError
from celsa_lib.files import check_writable
from celsa_lib.kernels.histories import (
    copy_histories,
    copy_times,
    items_seen,
    place_items,
    sort_histories,
    sort_timed,
)

log = logging.getLogger(__name__)

KEPT = "store"  # the folder that is moved into place
NO_ID = "{where}, data row {row}, column {column!r}: no id; drop such rows"
NOTHING_LEFT = (
    "{where}: nothing is left: {rows} interactions of {users} users have a high enough rating, and "
    "no user has {least} of them; lower min_rating or min_user_interactions"
)


@dataclass(frozen=True)
class Columns:
    """What is read of a table, and which of its rows count."""

    user: str
    item: str
    value: str | None = None
    min_rating: float | None = None
    text_ids: bool = False
    time: str | None = None

    @property
    def names(self) -> list[str]:
        """Columns that are read."""
        every = self.user, self.item, self.value, self.time
        return [name for name in every if name is not None]


def stream_histories(
    folder: Path, columns: Columns, min_user_interactions: int, store: Path | None = None
) -> Histories:
    """The histories in a folder of Parquet files, with hive partitions (year=2024/…) or without.

    store: a folder that keeps them, from which they are mapped into memory, and opened again while
    files and options are the same; without, they lie in memory. Raises DataError as
    `load_interactions`, StorageError for a store that cannot be written or has something else.
    """
    files = parquet_files(folder)
    with reading(folder):
        checksum = sha256_of(files)
    named = [file.relative_to(folder).as_posix() for file in files]  # partitions are named in paths
    about = {"version": VERSION_OF_STORE, "checksum": checksum, "files": named}
    about |= {"least": int(min_user_interactions), **asdict(columns)}
    if store is not None and store.exists():
        return open_store(store, about)
    if store is not None:
        check_writable(store / ABOUT)
        store.parent.mkdir(parents=True, exist_ok=True)
    beside = None if store is None else store.parent
    with tempfile.TemporaryDirectory(prefix=".celsa-", dir=beside) as temporary:
        work = Path(temporary)
        measured = columns.value, columns.time
        batches = record_batches(folder, files, columns.names, measured)
        with reading(folder):
            made = _made(batches, str(folder), columns, min_user_interactions, work, store is None)
        if store is None:
            return Histories(*made[:3], checksum, made[3])
        seal_store(work / KEPT, made[1:3], about)
        del made  # what is mapped is on disk then
        try:
            os.rename(work / KEPT, store)
        except OSError as error:
            raise StorageError(f"cannot write {store}: {error}; name another folder") from error
    return open_store(store, about)


def _made(
    batches: Iterator[ParquetRows],
    where: str,
    columns: Columns,
    least: int,
    work: Path,
    in_memory: bool,
) -> tuple[csr_matrix, np.ndarray, np.ndarray, np.ndarray | None]:
    """X, ids of its axes, times; large arrays lie in files under `work`, or in memory."""
    (work / KEPT).mkdir()
    stream = None if columns.time is None else TimeStream(columns.time, work / "times")
    ids = _write_codes(batches, where, columns, work, stream)
    if not len(ids[0]):
        raise DataError(NOTHING_LEFT.format(where=where, rows=0, users=0, least=least))
    order = [np.argsort(of_axis, kind="stable") for of_axis in ids]
    rank = [np.argsort(by_id).astype(np.int32) for by_id in order]
    codes = [np.memmap(work / name, np.int32, "r") for name in ("users", "items")]
    times = None if stream is None else stream.all(where)
    indptr, indices, when = _by_user(codes, rank, work, times)
    lengths = sort_histories(indptr, indices) if when is None else sort_timed(indptr, indices, when)
    if lengths.sum() < len(indices):
        repeated = len(indices) - lengths.sum()
        log.info("%s: %d repeated user-item pairs counted once", where, repeated)
    kept = lengths >= least
    if not kept.any():
        counted = {"rows": len(indices), "users": len(lengths), "least": least}
        raise DataError(NOTHING_LEFT.format(where=where, **counted))
    seen = items_seen(indptr, lengths, kept, indices, len(rank[1]))
    ends = np.concatenate([[0], np.cumsum(lengths[kept])])
    parts = {"data": (ends[-1], np.float32), "indices": (ends[-1], np.int32)}
    parts |= {"indptr": (len(ends), np.int64)}
    made = {name: _array(work / KEPT, name, *of, in_memory) for name, of in parts.items()}
    made["data"][:], made["indptr"][:] = 1, ends
    numbers = np.cumsum(seen, dtype=np.int32) - 1
    copy_histories(indptr, lengths, kept, indices, numbers, made["indices"])
    X = csr_matrix(tuple(made.values()), shape=(len(ends) - 1, int(seen.sum())))
    if when is not None:
        found = _array(work / KEPT, TIMES, ends[-1], times.dtype, in_memory)
        copy_times(indptr, lengths, kept, when, found.view(when.dtype))
    return X, ids[0][order[0]][kept], ids[1][order[1]][seen], None if when is None else found


def _array(folder: Path, name: str, size: int, dtype, in_memory: bool) -> np.ndarray:
    if in_memory:
        return np.empty(size, dtype)
    return np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, (int(size),))


def _write_codes(
    batches: Iterator[ParquetRows],
    where: str,
    columns: Columns,
    work: Path,
    times: TimeStream | None,
) -> list[np.ndarray]:
    """Ids of users and of items, and a file for each with the number of every row's id; times go
    into their stream.
    """
    known = [_Numbers(columns.user), _Numbers(columns.item)]
    with open(work / "users", "wb") as users, open(work / "items", "wb") as items:
        for batch in batches:
            kept = None
            if columns.value is not None:
                values = batch.columns[columns.value].to_pandas().rename(columns.value)
                ratings = ratings_of(values, str(batch.file), batch.first)
                kept = ratings >= columns.min_rating
            if times is not None:
                times.write(batch, kept)
            kept = None if kept is None else pa.array(kept)
            for numbers, file in zip(known, (users, items), strict=True):
                numbers.write(batch, kept, file)
    return [numbers.ids(where, columns.text_ids) for numbers in known]


class _Numbers:
    """A number for each id of a column, in order of appearance."""

    def __init__(self, column: str):
        self.column, self.known = column, None

    def write(self, batch: ParquetRows, kept: pa.Array | None, file: BinaryIO) -> None:
        """Append the numbers of ids, int32, to `file`: of rows that are `kept`, or of all."""
        column = batch.columns[self.column]
        _require_ids(column, batch, self.column)
        column = column if kept is None else column.filter(kept)
        self.known = column[:0] if self.known is None else self.known
        found = pc.index_in(column, value_set=self.known)
        if found.null_count:
            new = pc.unique(column.filter(pc.is_null(found)))
            self.known = pa.concat_arrays([self.known, new])
            found = pc.index_in(column, value_set=self.known)
        file.write(found.to_numpy().astype(np.int32, copy=False).data)

    def ids(self, where: str, as_text: bool) -> np.ndarray:
        """The ids by their numbers."""
        if self.known is None:
            return np.empty(0, np.int64)
        return ids_of(self.known.to_pandas().rename(self.column), where, as_text)


def _require_ids(column: pa.Array, batch: ParquetRows, name: str) -> None:
    """Raise DataError, naming file and row, at the first that is no id."""
    none = pc.is_null(column, nan_is_null=True)
    if pa.types.is_large_string(column.type):
        none = pc.or_kleene(none, pc.equal(column, ""))
    row = pc.index(none, True).as_py()
    if row >= 0:
        row += batch.first + 1
        raise DataError(NO_ID.format(where=batch.file, row=row, column=name))


def _by_user(
    codes: list[np.ndarray], rank: list[np.ndarray], work: Path, times: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """(indptr, indices, times as numbers) of the rows in order of user, repeated ones too; users
    and items by id.
    """
    n_users, n_rows = len(rank[0]), len(codes[0])
    parts = [slice(first, first + STREAMED_ROWS) for first in range(0, n_rows, STREAMED_ROWS)]
    counts = np.zeros(n_users, np.int64)
    for part in parts:
        counts += np.bincount(rank[0][codes[0][part]], minlength=n_users)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    indices, following = np.memmap(work / "by user", np.int32, "w+", shape=n_rows), indptr.copy()
    for part in parts:
        place_items(rank[0][codes[0][part]], rank[1][codes[1][part]], following, indices)
    if times is None:
        return indptr, indices, None
    numbers = times.view(np.int64) if times.dtype.kind == "M" else times
    following = indptr.copy()
    when = np.memmap(work / "times by user", numbers.dtype, "w+", shape=n_rows)
    for part in parts:
        place_items(rank[0][codes[0][part]], numbers[part], following, when)
    return indptr, indices, when
