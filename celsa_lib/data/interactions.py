"""From ratings to the binary matrix: keep high ratings, drop short histories; anyone's own table.

The paper's protocol: ratings ≥ 4 become 1, then users with at least 5 such ratings are kept in
one pass, then items with at least 1. A (user, item) pair that is listed more than once counts
once, with its highest rating: the order of the rows never matters.
"""

import hashlib
import logging
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from celsa_lib.data.checks import reading, require_columns, sha256_of
from celsa_lib.data.dataset import Dataset
from celsa_lib.data.formats import numbers, read_table
from celsa_lib.errors import ConfigError, DataError

log = logging.getLogger(__name__)


def binarise(
    users: np.ndarray, items: np.ndarray, min_user_interactions: int = 5, where: str = "the data"
) -> tuple[csr_matrix, np.ndarray, np.ndarray]:
    """Build (X users × items of float32 ones, user_ids, item_ids), ids ascending.

    `users` and `items` (n_rows,) are the ids of interactions already kept by their rating.
    Raises DataError when no user is left.
    """
    if min_user_interactions < 1:
        raise ConfigError(f"min_user_interactions is {min_user_interactions}; give at least 1")
    user_ids, rows = _codes(users)
    item_ids, columns = _codes(items)
    ones = np.ones(len(rows), dtype=np.float32)
    X = csr_matrix((ones, (rows, columns)), shape=(len(user_ids), len(item_ids)))
    if len(rows) > X.nnz:
        log.info("%s: %d repeated user-item pairs counted once", where, len(rows) - X.nnz)
    X.data[:] = 1.0
    keep_users = np.diff(X.indptr) >= min_user_interactions
    if not keep_users.any():
        raise DataError(
            f"{where}: nothing is left: {len(users)} interactions of {len(user_ids)} users have a "
            f"high enough rating, and no user has {min_user_interactions} of them; lower "
            "min_rating or min_user_interactions"
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


def item_table(item_ids: np.ndarray, items: pd.DataFrame | None) -> pd.DataFrame:
    """Metadata in column order; items without a title are called by their id."""
    table = (items if items is not None else pd.DataFrame()).reindex(item_ids)
    table.index.name = "item_id"
    if "title" not in table:
        table.insert(0, "title", None)
    unnamed = table["title"].isna().to_numpy()
    if unnamed.any():
        names = np.asarray(item_ids)[unnamed].astype(str).astype(object)
        titles = table["title"].to_numpy(dtype=object, copy=True)
        titles[unnamed] = names
        table["title"] = titles
    return table


def load_interactions(
    source: str | Path | pd.DataFrame,
    user: str = "user_id",
    item: str = "item_id",
    value: str | None = None,
    min_rating: float | None = None,
    min_user_interactions: int = 5,
    items: pd.DataFrame | None = None,
    name: str | None = None,
) -> Dataset:
    """Load anyone's interactions: a DataFrame, or a CSV, TSV or Parquet file (.gz allowed).

    `user`, `item`, `value` name the columns; rows with `value` < `min_rating` are dropped, and
    without `min_rating` every row counts. `items` is indexed by item id, compared as text. Raises
    DataError on a missing column, a missing id, a rating that is no number, when nothing is left,
    or when `items` has an id twice or none of the data's.
    """
    if min_rating is not None and value is None:
        raise ConfigError("min_rating needs a rating column: name it with value=")
    columns = [column for column in (user, item, value) if column is not None]
    frame, where, checksum = _open_table(source, columns, (user, item))
    users, item_values = _ids(frame, user, where), _ids(frame, item, where)
    if value is not None:
        ratings = numbers(frame[value], lambda row: f"{where}, data row {row + 1}")
        keep = ratings >= (-np.inf if min_rating is None else min_rating)
        users, item_values = users[keep], item_values[keep]
    X, user_ids, item_ids = binarise(users, item_values, min_user_interactions, where)
    return Dataset(
        name=name or (Path(where).name if where != "the DataFrame" else "interactions"),
        X=X,
        user_ids=user_ids,
        item_ids=item_ids,
        items=item_table(item_ids, None if items is None else _rows_of(items, item_ids)),
        checksum=checksum,
        source=f"read from {where}",
    )


def _rows_of(items: pd.DataFrame, item_ids: np.ndarray) -> pd.DataFrame:
    """Rows of `items` for `item_ids`, compared as text. Raises DataError."""
    table = items.set_axis(list(map(str, items.index)))
    twice = table.index.duplicated()
    if twice.any():
        raise DataError(
            f"`items` has the id {table.index[twice][0]!r} more than once; keep one row per item, "
            "as by items[~items.index.duplicated()]"
        )
    wanted = list(map(str, item_ids))
    if not table.index.isin(wanted).any():
        raise DataError(
            f"`items` has no id of the data: its index begins {list(table.index[:3])}, the data's "
            f"ids {wanted[:3]}; index it by item id, written as in the data"
        )
    return table.reindex(wanted).set_axis(item_ids)


def _open_table(source, columns: list[str], ids: tuple) -> tuple[pd.DataFrame, str, str]:
    """The needed columns of `source`, `ids` among them, its name for messages, and its sha256."""
    if isinstance(source, pd.DataFrame):
        require_columns(source.columns, columns, "the DataFrame")
        frame = source[columns]
        rows = pd.util.hash_pandas_object(frame, index=False).to_numpy()
        return frame, "the DataFrame", hashlib.sha256(rows.tobytes()).hexdigest()
    path = Path(source)
    if not path.is_file():
        raise DataError(f"{path} is not a file; check the path")
    with reading(path):
        return read_table(path, columns, ids), str(path), sha256_of([path])


def _ids(frame: pd.DataFrame, column: str, where: str) -> np.ndarray:
    """Ids as integers where the column holds nothing else, as 64 bits hold them; else as text."""
    values = frame[column]
    missing = (values.isna() | (values.astype(object) == "")).to_numpy()
    if missing.any():
        row = int(missing.argmax()) + 1
        raise DataError(f"{where}, data row {row}, column {column!r}: no id; drop such rows")
    codes, known = pd.factorize(values)
    texts = pd.Series(known).astype(str)
    whole = pd.to_numeric(texts, errors="coerce")
    if whole.dtype == np.int64 and (whole.astype(str) == texts).all():
        return whole.to_numpy()[codes]
    return texts.to_numpy(dtype=object)[codes]
