"""From ratings to the binary matrix: keep high ratings, drop short histories; anyone's own table.

The paper's protocol: ratings ≥ 4 become 1, then users with at least 5 such ratings are kept in
one pass, then items with at least 1. A (user, item) pair that is listed more than once counts
once, with its highest rating: the order of the rows never matters.
"""

import hashlib
import logging
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from celsa_lib.data.checks import reading, sha256_of
from celsa_lib.data.dataset import Dataset
from celsa_lib.data.folders import is_parquet
from celsa_lib.data.ids import ids_of
from celsa_lib.data.item_rows import item_table, rows_of_items
from celsa_lib.data.ratings import ratings_of
from celsa_lib.data.streams import NOTHING_LEFT, Columns, stream_histories
from celsa_lib.data.tables import Layout, as_frame, read_table, require_once
from celsa_lib.data.times import times_of, written
from celsa_lib.errors import ConfigError, DataError, check_between, check_count

log = logging.getLogger(__name__)

TABLE = "the table"  # what messages call data that is in no file


def binarise(
    users: np.ndarray, items: np.ndarray, min_user_interactions: int = 5, where: str = "the data"
) -> tuple[csr_matrix, np.ndarray, np.ndarray]:
    """Build (X users × items of float32 ones, user_ids, item_ids), ids ascending.

    `users` and `items` (n_rows,) are the ids of interactions already kept by their rating.
    Raises DataError when no user is left.
    """
    check_count(min_user_interactions=min_user_interactions)
    user_ids, rows = _codes(users)
    item_ids, columns = _codes(items)
    if min(rows.min(initial=0), columns.min(initial=0)) < 0:
        raise DataError(f"{where}: an interaction has no user or no item; take it out")
    ones = np.ones(len(rows), dtype=np.float32)
    X = csr_matrix((ones, (rows, columns)), shape=(len(user_ids), len(item_ids)))
    if len(rows) > X.nnz:
        log.info("%s: %d repeated user-item pairs counted once", where, len(rows) - X.nnz)
    X.data[:] = 1.0
    keep_users = np.diff(X.indptr) >= min_user_interactions
    if not keep_users.any():
        raise DataError(
            NOTHING_LEFT.format(
                where=where, rows=len(users), users=len(user_ids), least=min_user_interactions
            )
        )
    X = X[keep_users]
    keep_items = np.bincount(X.indices, minlength=X.shape[1]) > 0
    X = X[:, keep_items]
    X.sort_indices()
    return X, user_ids[keep_users], item_ids[keep_items]


def _codes(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct ids and, for every row, the index of its id."""
    ids = np.asarray(ids)
    # A lookup table needs no sort and no 64-bit copy: at 100 million rows that is gigabytes.
    if ids.dtype.kind in "iu" and ids.size and ids.min() >= 0 and ids.max() < 10**7 + ids.size:
        present = np.zeros(int(ids.max()) + 1, dtype=bool)
        present[ids] = True
        position = np.cumsum(present, dtype=np.int32) - 1
        return np.flatnonzero(present), position[ids]
    codes, distinct = pd.factorize(ids, sort=True)
    return np.asarray(distinct), codes


def load_interactions(
    source: str | Path | pd.DataFrame,
    user: str = "user_id",
    item: str = "item_id",
    value: str | None = None,
    min_rating: float | None = None,
    min_user_interactions: int = 5,
    items: pd.DataFrame | str | Path | None = None,
    name: str | None = None,
    *,
    separator: str | None = None,
    encoding: str | None = None,
    header: bool = True,
    text_ids: bool = False,
    time: str | None = None,
    store: str | Path | None = None,
) -> Dataset:
    """Load anyone's interactions: a table (pandas, Polars, Arrow), or a text or Parquet file; or a
    folder of Parquet files, with hive partitions or without, read in a stream.

    `user`, `item`, `value` name the columns; rows with `value` < `min_rating` are dropped. Ids are
    whole numbers where the column has nothing else, written as numbers are, and otherwise text as
    it stands in the file; text always with `text_ids`. `items` (or a file) has a row per item, by
    its index or in the column `item`; ids are compared as text. separator, encoding, header: of a
    text file, see `Layout`; that of `items` has a header. `time` names a column of dates or
    numbers, kept as `Dataset.times` for `split_by_time`; of a pair that is there more than once the
    earliest counts. `store`: a folder that keeps what was read of a folder, and from which X is
    mapped into memory: for more than the memory holds. Raises ConfigError for value without
    min_rating or the reverse; DataError on a missing or repeated column, a line of another number
    of fields, a missing id, a rating or time that is none, when nothing is left, or when `items`
    has an id twice or none of the data's; StorageError for a store of something else.
    """
    if (value is None) != (min_rating is None):
        raise ConfigError(
            f"value is {value!r}, min_rating {min_rating}: name the rating column and the lowest "
            "rating that counts (4 of 5 stars is usual), or neither, and every row counts"
        )
    if min_rating is not None:
        check_between(-inf, inf, min_rating=min_rating)
    layout = Layout(separator, encoding, header)
    least = None if min_rating is None else float(min_rating)
    columns = Columns(*map(_name, (user, item, value)), least, text_ids)
    _check_layout(source, layout, items)
    when = None if time is None else _name(time)
    if isinstance(source, (str, Path)) and (folder := Path(source).expanduser()).is_dir():
        read = _of_folder(folder, columns, min_user_interactions, when, store)
    elif store is None:
        read = _of_table(source, columns, min_user_interactions, when, layout)
    else:
        raise ConfigError("store keeps the interactions of a folder of Parquet files; give one")
    named = ", ".join(map(repr, (name for name in (*columns.names, when) if name is not None)))
    about = read.where, *read.X.shape, read.X.nnz, named
    log.info("%s: %d users, %d items, %d interactions; columns %s", *about)
    if read.times is not None:
        span = written(read.times.min()), written(read.times.max())
        log.info("%s: times from %s to %s", read.where, *span)
    rows = rows_of_items(items, columns, read.item_ids, layout)
    return Dataset(
        name=name or (read.where if read.where == TABLE else Path(read.where).name),
        X=read.X,
        user_ids=read.user_ids,
        item_ids=read.item_ids,
        items=item_table(read.item_ids, rows),
        checksum=read.checksum,
        source=f"read from {read.where}",
        times=read.times,
    )


def _check_layout(source, layout: Layout, items) -> None:
    """Raise ConfigError where a layout is given and no text file is read by it."""
    is_path = isinstance(source, str | Path)
    path = Path(source).expanduser() if is_path else None
    if is_path and not path.is_dir() and not is_parquet(path):
        return
    of_items = isinstance(items, str | Path) and not is_parquet(Path(items))
    if not layout.header or (layout != Layout() and not of_items):
        raise ConfigError(
            f"{path or TABLE} is no text file, and separator, encoding and header say how one is "
            "laid out; leave them out"
        )


class _Read(NamedTuple):
    """Parts of a Dataset; where: what messages call the source."""

    X: csr_matrix
    user_ids: np.ndarray
    item_ids: np.ndarray
    checksum: str
    where: str
    times: np.ndarray | None = None


def _of_folder(folder: Path, columns: Columns, least: int, time: str | None, store) -> _Read:
    columns = replace(columns, time=time)
    _require_apart(columns.names)
    store = None if store is None else Path(store).expanduser()
    *read, times = stream_histories(folder, columns, least, store)
    return _Read(*read, str(folder), times)


def _require_apart(columns: list[str]) -> None:
    """Raise ConfigError for a column that is named for two purposes."""
    for column in columns:
        if columns.count(column) > 1:
            raise ConfigError(
                f"column {column!r} is named for two of user, item, value and time; name one "
                "column for each, or leave value or time out"
            )


def _of_table(source, columns: Columns, least: int, time: str | None, layout: Layout) -> _Read:
    others = columns.value, time
    frame, where, checksum = _open_table(source, [columns.user, columns.item], others, layout)
    ids = [ids_of(frame[c], where, columns.text_ids) for c in (columns.user, columns.item)]
    when = None if time is None else times_of(frame[time], where)
    if columns.value is not None:
        keep = ratings_of(frame[columns.value], where) >= columns.min_rating
        ids = [values[keep] for values in ids]
        when = None if when is None else when[keep]
    X, user_ids, item_ids = binarise(*ids, least, where)
    if when is not None:
        places = [
            pd.Index(known).get_indexer(values)
            for known, values in zip((user_ids, item_ids), ids, strict=True)
        ]
        when = _earliest(X, *places, when)
    return _Read(X, user_ids, item_ids, checksum, where, when)


def _name(column) -> str | None:
    """A column's name as text: tables without a header call theirs 0, 1, …"""
    return None if column is None else str(column)


def _earliest(X: csr_matrix, rows: np.ndarray, columns: np.ndarray, when: np.ndarray) -> np.ndarray:
    """The first time of each interaction of X, in the order of X.data; rows (and columns) of −1
    were dropped.
    """
    kept = (rows >= 0) & (columns >= 0)
    pairs, when = rows[kept].astype(np.int64) * X.shape[1] + columns[kept], when[kept]
    order = np.lexsort((when, pairs))
    first = np.unique(pairs[order], return_index=True)[1]
    return when[order][first]


def _open_table(
    source, ids: list[str], others: tuple[str | None, ...], layout: Layout
) -> tuple[pd.DataFrame, str, str]:
    """Columns `ids` and `others` (None: none) of `source`, its name for messages, its sha256."""
    columns = [*ids, *(name for name in others if name is not None)]
    _require_apart(columns)
    if isinstance(source, (str, Path)):
        path = Path(source).expanduser()
        if not path.is_file():
            raise DataError(f"{path} is not a file; check the path")
        with reading(path):
            frame = read_table(path, columns, columns, layout, line_breaks=False)
            return frame, str(path), sha256_of([path])
    frame = as_frame(source, TABLE)
    frame = frame.set_axis(frame.columns.map(str), axis=1)
    require_once(frame.columns, columns, TABLE)
    frame = frame[columns]
    rows = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return frame, TABLE, hashlib.sha256(rows.tobytes()).hexdigest()
