"""From ratings to the binary matrix: keep high ratings, drop short histories; anyone's own table.

The paper's protocol: ratings ≥ 4 become 1, then users with at least 5 such ratings are kept in
one pass, then items with at least 1. A (user, item) pair that is listed more than once counts
once, with its highest rating: the order of the rows never matters.
"""

import hashlib
import logging
from math import inf
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from celsa_lib.data.checks import reading, sha256_of
from celsa_lib.data.dataset import Dataset
from celsa_lib.data.ratings import ratings_of
from celsa_lib.data.tables import (
    Layout,
    as_frame,
    columns_of,
    layout_beside,
    read_table,
    require_once,
)
from celsa_lib.data.times import times_of, written
from celsa_lib.errors import LONGEST_ID, ConfigError, DataError, check_between, check_count, plainly

log = logging.getLogger(__name__)

TABLE = "the table"  # what messages call data that is in no file
TEXTS = ("title", "authors", "genres", "description")  # of items: 007 and 0.50 stay as written


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
    """Metadata in column order, titles as text; items without a title are called by their id.

    Raises DataError for an item that stands twice.
    """
    if items is not None and items.index.has_duplicates:
        twice = items.index[items.index.duplicated()][0]
        raise DataError(f"the titles have item {twice!s} more than once; keep one line of it")
    table = (items if items is not None else pd.DataFrame()).reindex(item_ids)
    table.index.name = "item_id"
    if "title" not in table:
        table.insert(0, "title", None)
    titles = table["title"].astype(object)
    unnamed = (titles.isna() | (titles == "")).to_numpy()
    ids = np.asarray(item_ids).astype(str)
    table["title"] = np.where(unnamed, ids, titles.map(str)).astype(object)
    return table


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
) -> Dataset:
    """Load anyone's interactions: a table (pandas, Polars, Arrow), or a text or Parquet file.

    `user`, `item`, `value` name the columns; rows with `value` < `min_rating` are dropped. Ids are
    whole numbers where the column has nothing else, written as numbers are, and otherwise text as
    it stands in the file; text always with `text_ids`. `items` (or a file) has a row per item, by
    its index or in the column `item`; ids are compared as text. separator, encoding, header: of a
    text file, see `Layout`; that of `items` has a header. `time` names a column of dates or
    numbers, kept as `Dataset.times` for `split_by_time`; of a pair that is there more than once the
    earliest counts. Raises ConfigError for value without min_rating or the reverse; DataError on a
    missing or repeated column, a line of another number of fields, a missing id, a rating or time
    that is none, when nothing is left, or when `items` has an id twice or none of the data's.
    """
    if (value is None) != (min_rating is None):
        raise ConfigError(
            f"value is {value!r}, min_rating {min_rating}: name the rating column and the lowest "
            "rating that counts (4 of 5 stars is usual), or neither, and every row counts"
        )
    if min_rating is not None:
        check_between(-inf, inf, min_rating=min_rating)
    layout = Layout(separator, encoding, header)
    user, item, value, time = (_name(column) for column in (user, item, value, time))
    frame, where, checksum = _open_table(source, [user, item], (value, time), layout)
    users, item_values = (_ids(frame[c], where, text_ids) for c in (user, item))
    when = None if time is None else times_of(frame[time], where)
    if value is not None:
        keep = ratings_of(frame[value], where) >= min_rating
        users, item_values = users[keep], item_values[keep]
        when = None if when is None else when[keep]
    X, user_ids, item_ids = binarise(users, item_values, min_user_interactions, where)
    columns = ", ".join(map(repr, frame.columns))
    log.info("%s: %d users, %d items, %d interactions; columns %s", where, *X.shape, X.nnz, columns)
    if when is not None:
        rows = pd.Index(user_ids).get_indexer(users)
        when = _earliest(X, rows, pd.Index(item_ids).get_indexer(item_values), when)
        log.info("%s: times from %s to %s", where, written(when.min()), written(when.max()))
    return Dataset(
        name=name or (where if where == TABLE else Path(where).name),
        X=X,
        user_ids=user_ids,
        item_ids=item_ids,
        items=item_table(item_ids, _rows_of(items, item, item_ids, layout)),
        checksum=checksum,
        source=f"read from {where}",
        times=when,
    )


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


def _rows_of(items, item: str, item_ids: np.ndarray, layout: Layout) -> pd.DataFrame | None:
    """Rows of `items` for `item_ids`, compared as text. Raises DataError."""
    if items is None:
        return None
    table = _item_rows(items, item, layout)
    if "title" in table:  # whole numbers would become 1984.0 beside a gap
        table = table.astype({"title": object})
    is_file = isinstance(items, (str, Path))
    where = str(items) if is_file else "`items`"
    texts = list(map(str, _ids(table.index.to_series(name=item), where)))
    twice = pd.Index(texts).duplicated()
    if twice.any():
        code = "" if is_file else ", as by items[~items.index.duplicated()]"
        raise DataError(
            f"{where} has the id {texts[int(twice.argmax())]!r} more than once; keep one row per "
            f"item{code}"
        )
    wanted = list(map(str, item_ids))
    if not set(texts) & set(wanted):
        remedy = "write them alike" if is_file else "index it by item id, written as in the data"
        raise DataError(
            f"{where} has no id of the data: its ids begin {texts[:3]}, the data's {wanted[:3]}; "
            f"{remedy}"
        )
    return table.set_axis(texts).reindex(wanted).set_axis(item_ids)


def _item_rows(items, item: str, layout: Layout) -> pd.DataFrame:
    """A table of items, indexed by their ids. Raises DataError where rows are only counted."""
    if isinstance(items, (str, Path)):
        path = Path(items).expanduser()
        layout = layout_beside(path, item, layout)  # its own, whatever the interactions need
        names = columns_of(path, [item], layout)
        texts = [name for name in names if name in (item, *TEXTS)]
        items = read_table(path, names, texts, layout)
    table = as_frame(items, "`items`")
    table = table.set_axis(table.columns.map(str), axis=1)
    if item in table.columns:
        require_once(table.columns, [item], "`items`")
        return table.set_index(item)
    if isinstance(table.index, pd.RangeIndex) and table.index.name is None:
        raise DataError(
            f"`items` has no column {item!r}, and its index only counts rows; index it by item "
            "id, as by items.set_index('id')"
        )
    return table


def _open_table(
    source, ids: list[str], others: tuple[str | None, ...], layout: Layout
) -> tuple[pd.DataFrame, str, str]:
    """Columns `ids` and `others` (None: none) of `source`, its name for messages, its sha256."""
    columns = [*ids, *(name for name in others if name is not None)]
    for column in columns:
        if columns.count(column) > 1:
            raise ConfigError(
                f"column {column!r} is named for two of user, item, value and time; name one "
                "column for each, or leave value or time out"
            )
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


def _ids(values: pd.Series, where: str, as_text: bool = False) -> np.ndarray:
    """Ids as integers where the column holds nothing else, as 64 bits hold them; else as text.

    A float column of whole numbers holds integers too: it is what a gap makes of them.
    """
    missing = (values.isna() | (values.astype(object) == "")).to_numpy()
    if missing.any():
        row = int(missing.argmax()) + 1
        raise DataError(f"{where}, data row {row}, column {values.name!r}: no id; drop such rows")
    codes, known = pd.factorize(values)
    try:
        texts = pd.Series(known).astype(str)
    except UnicodeError as error:
        raise DataError(f"{where}, column {values.name!r}: an id is no text: {error}") from error
    if texts.duplicated().any():
        one, other = known[(texts == texts[texts.duplicated()].iloc[0]).to_numpy()][:2]
        raise DataError(
            f"{where}, column {values.name!r} has {plainly(one)} and {plainly(other)}, which are "
            "the same when written; make all ids text, or all numbers"
        )
    if (texts.str.len() > LONGEST_ID).any():
        raise DataError(
            f"{where}, column {values.name!r}: an id has more than {LONGEST_ID:,} characters; "
            "shorten it, or name another column"
        )
    if texts.str.fullmatch(r"-?\d+\.0").all():
        texts = texts.str.removesuffix(".0")
    whole = pd.to_numeric(texts, errors="coerce")
    if not as_text and whole.dtype == np.int64 and (whole.astype(str) == texts).all():
        return whole.to_numpy()[codes]
    return texts.to_numpy(dtype=object)[codes]
