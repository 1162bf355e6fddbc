"""What is known of items: a table of someone's own, found by id and put into column order."""

from pathlib import Path

import numpy as np
import pandas as pd

from celsa_lib.data.ids import ids_of
from celsa_lib.data.streams import Columns
from celsa_lib.data.tables import (
    Layout,
    as_frame,
    columns_of,
    layout_beside,
    read_table,
    require_once,
)
from celsa_lib.errors import DataError

TEXTS = ("title", "authors", "genres", "description")  # of items: 007 and 0.50 stay as written


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
    ids = np.array(list(map(str, item_ids)), dtype=object)  # NumPy's text is as wide as the longest
    table["title"] = np.where(unnamed, ids, titles.map(str))
    return table


def rows_of_items(
    items, columns: Columns, item_ids: np.ndarray, layout: Layout
) -> pd.DataFrame | None:
    """Rows of `items` for `item_ids`, compared as text. Raises DataError."""
    if items is None:
        return None
    table = _item_rows(items, columns.item, layout)
    if "title" in table:  # whole numbers would become 1984.0 beside a gap
        table = table.astype({"title": object})
    is_file = isinstance(items, (str, Path))
    where = str(items) if is_file else "`items`"
    index = table.index.to_series(name=columns.item)
    texts = list(map(str, ids_of(index, where, columns.text_ids)))
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
