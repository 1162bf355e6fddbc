"""A folder of packed rows in several sizes, and the items that they are about.

rows-16.npz has 16 nonzeros per item on average; what is known of its making is inside.
items.csv.gz has id, title, authors and how many users of the training data chose the item.
"""

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from celsa_lib.data.tables import read_table
from celsa_lib.embeddings import ItemEmbeddings, PackedEmbeddings
from celsa_lib.errors import DataError, StorageError
from celsa_lib.files import write_whole

GOODBOOKS_ROWS = Path(__file__).parent / "goodbooks"
ITEMS_FILE = "items.csv.gz"
ITEM_COLUMNS = ("item_id", "title", "authors", "chosen")
ROWS_FILE = re.compile(r"rows-([0-9]+)\.npz")
ROW_BITS = 4  # of a packed value


@dataclass(frozen=True, eq=False)
class ShippedRows:
    """Packed rows of the same items by nonzeros per item, most first, and the items.

    `items` is indexed by item id, in the order of the rows: title, authors. `chosen` (n_items,):
    how many users of the training data chose each.
    """

    name: str  # of the data set
    items: pd.DataFrame = field(repr=False)
    chosen: np.ndarray = field(repr=False)
    packed: Mapping[int, PackedEmbeddings]

    @property
    def item_ids(self) -> np.ndarray:
        """Ids of the items, (n_items,)."""
        return self.items.index.to_numpy()

    @property
    def embeddings(self) -> ItemEmbeddings:
        """The largest of the rows, in memory."""
        return self.unpacked[max(self.packed)]

    @cached_property
    def unpacked(self) -> dict[int, ItemEmbeddings]:
        """The rows in memory, by nonzeros per item."""
        return {nnz: rows.unpack() for nnz, rows in self.packed.items()}

    def record(self, nnz: int) -> dict:
        """How the rows with `nnz` nonzeros were made, and what test users found in their lists."""
        return self.packed[nnz].about


def goodbooks_rows() -> ShippedRows:
    """Rows of 10,000 books, of 16 and of 8 nonzeros on average, trained by the recommended recipe.

    They lie in the package: nothing is downloaded. Titles and authors: Goodbooks-10k, CC BY-SA 4.0.
    """
    return load_shipped(GOODBOOKS_ROWS)


def load_shipped(folder: str | Path) -> ShippedRows:
    """What `write_shipped` wrote. Raises StorageError, DataError if the parts do not fit."""
    folder = Path(folder).expanduser()
    found = {ROWS_FILE.fullmatch(path.name): path for path in folder.glob("rows-*.npz")}
    paths = {int(match[1]): path for match, path in found.items() if match}
    if not paths:
        raise StorageError(f"there are no rows in {folder}; check the path")
    packed = {nnz: PackedEmbeddings.load(paths[nnz]) for nnz in sorted(paths, reverse=True)}
    as_text = ("item_id", "title", "authors")
    table = read_table(folder / ITEMS_FILE, ITEM_COLUMNS, as_text).set_index("item_id")
    items = table[["title", "authors"]]
    for nnz, rows in packed.items():
        if not np.array_equal(rows.item_ids.astype(str), items.index.to_numpy().astype(str)):
            raise DataError(f"{paths[nnz]} has other items than {ITEMS_FILE} beside it")
    items = items.set_axis(rows.item_ids)  # of their own type
    names = {rows.about.get("data", "") for rows in packed.values()}
    if len(names) > 1:
        raise DataError(f"{folder} has rows of several data sets: {', '.join(sorted(names))}")
    return ShippedRows(names.pop(), items, table["chosen"].to_numpy(), packed)


def write_shipped(
    folder: str | Path, items: pd.DataFrame, chosen: np.ndarray, rows: Mapping[int, ItemEmbeddings]
) -> Path:
    """Write `rows` by nonzeros per item, and their `items` (indexed by id, with titles).

    chosen: (n_items,). Each file is written whole or not at all. Raises StorageError.
    """
    folder = Path(folder).expanduser()
    authors = items["authors"].fillna("") if "authors" in items else ""
    table = pd.DataFrame({"title": items["title"], "authors": authors, "chosen": chosen})
    text = table.to_csv(index_label="item_id", lineterminator="\n").encode()
    packed = gzip.compress(text, mtime=0)  # the same bytes whenever it is written
    write_whole(folder / ITEMS_FILE, lambda file: file.write(packed))
    for nnz, embeddings in rows.items():
        embeddings.pack(ROW_BITS, folder / f"rows-{nnz}.npz")
    return folder
