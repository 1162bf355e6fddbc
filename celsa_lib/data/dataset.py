"""What a loaded dataset is: the binary matrix, the ids of its axes, and the items' metadata."""

from dataclasses import dataclass, field

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
    `checksum` is the sha256 of the source; `truth` is None unless the data is synthetic.
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
