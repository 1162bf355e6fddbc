"""What a loaded dataset is: the binary matrix, the ids of its axes, and the items' metadata."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from celsa_lib.errors import DataError


@dataclass(frozen=True)
class SyntheticTruth:
    """What a synthetic dataset was planted with.

    `item_segment` (n_items,) is the segment of each item; `user_segments`
    (n_users, segments_per_user) are the segments each user mixes.
    """

    item_segment: np.ndarray
    user_segments: np.ndarray


@dataclass(frozen=True, eq=False)
class Dataset:
    """Implicit feedback: `X` is users × items, CSR, float32, every stored value 1.

    `user_ids` and `item_ids` name the rows and columns. `items` is indexed by item id in column
    order and has `title`, and `year`, `genres` ('|'-joined) and `authors` where they are known.
    `checksum` is the sha256 of the source; `truth` is None unless the data is synthetic. `times`
    (X.nnz,), in the order of X.data, says when each interaction took place (dates or numbers), and
    is None where it is not known.
    Raises DataError when the parts do not fit together.
    """

    name: str
    X: csr_matrix
    user_ids: np.ndarray = field(repr=False)
    item_ids: np.ndarray = field(repr=False)
    items: pd.DataFrame = field(repr=False)
    checksum: str
    source: str
    truth: SyntheticTruth | None = field(default=None, repr=False)
    times: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        shape = (len(self.user_ids), len(self.item_ids))
        if self.X.shape != shape:
            raise DataError(
                f"dataset {self.name}: X is {self.X.shape} but there are {shape[0]} user ids and "
                f"{shape[1]} item ids; give one id per row and column"
            )
        if "title" not in self.items or not np.array_equal(self.items.index, self.item_ids):
            raise DataError(
                f"dataset {self.name}: `items` must have a `title` column and be indexed by "
                "item_ids in the same order"
            )
        if self.times is not None and len(self.times) != self.X.nnz:
            raise DataError(
                f"dataset {self.name}: {len(self.times)} times for {self.X.nnz} interactions; give "
                "one for each"
            )

    def in_order_of(self, item_ids: np.ndarray) -> "Dataset":
        """The same data with its items in another order; ids are compared as text.

        Raises DataError if `item_ids` are not those of this dataset.
        """
        ours, wanted = (list(map(str, ids)) for ids in (self.item_ids, item_ids))
        if ours == wanted:
            return self
        if sorted(ours) != sorted(wanted):
            raise DataError(
                f"{len(wanted)} item ids are not the {len(ours)} of {self.name}; use what was made "
                "from this dataset"
            )
        column_of = {item: column for column, item in enumerate(ours)}
        columns = np.array([column_of[item] for item in wanted], dtype=np.int64)
        places = csr_matrix((np.arange(self.X.nnz), self.X.indices, self.X.indptr), self.X.shape)
        places = places[:, columns]
        places.sort_indices()
        moved = places.data
        X = csr_matrix((self.X.data[moved], places.indices, places.indptr), self.X.shape)
        times = None if self.times is None else self.times[moved]
        truth = self.truth and replace(self.truth, item_segment=self.truth.item_segment[columns])
        items = self.items.iloc[columns]
        ids = self.item_ids[columns]
        return replace(self, X=X, item_ids=ids, items=items, truth=truth, times=times)
