"""What an engine is filled with: item rows with ids, titles and input scales."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.errors import DataError
from celsa_lib.retrieval.engines.base import Batch
from celsa_lib.retrieval.packed import PackedRows

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class EngineRows:
    """Rows (items × width, CSR float32) and what is kept beside them; None where there is none."""

    rows: csr_matrix
    item_ids: np.ndarray
    titles: list[str] | None
    input_scales: np.ndarray | None

    @classmethod
    def of(cls, embeddings, items: "pd.DataFrame | None") -> "EngineRows":
        """Of ItemEmbeddings or PackedRows, and titles of `items`, a table indexed by item id.

        Raises DataError where items are missing.
        """
        if isinstance(embeddings, PackedRows):
            rows, scales = embeddings.rows()
        else:
            rows, scales = embeddings.matrix, embeddings.input_scales
        if not rows.data.all():
            rows = rows.copy()
            rows.eliminate_zeros()
        titles = None if items is None else _titles(items, embeddings.item_ids)
        return cls(rows, np.asarray(embeddings.item_ids), titles, scales)

    def digest(self, engine: str) -> str:
        """Sixteen hex digits over everything that `engine` keeps of it."""
        found = hashlib.sha256(repr((engine, self.rows.shape, self.titles)).encode())
        parts = self.rows.indptr, self.rows.indices, self.rows.data, self.input_scales
        for part in (part for part in parts if part is not None):
            found.update(np.ascontiguousarray(part))
        found.update(repr(self.item_ids.tolist()).encode())
        return found.hexdigest()[:16]

    def batches(self, start: int, size: int) -> Iterator[Batch]:
        """Row `start` and on, `size` at a time."""
        n_rows = self.rows.shape[0]
        for first in range(start, n_rows, size):
            part = slice(first, min(first + size, n_rows))
            yield Batch(
                first,
                self.rows[part],
                self.item_ids[part].tolist(),
                None if self.titles is None else self.titles[part],
                None if self.input_scales is None else self.input_scales[part].tolist(),
            )


def _titles(items: "pd.DataFrame", item_ids: np.ndarray) -> list[str] | None:
    """Titles in the order of `item_ids`, "" where one is missing; None where there are none."""
    import pandas as pd

    if "title" not in items:
        return None
    by_text = pd.Series(items["title"].fillna("").astype(str).to_numpy(), items.index.astype(str))
    wanted = [str(item) for item in item_ids.tolist()]
    if not by_text.index.is_unique or not set(wanted) <= set(by_text.index):
        raise DataError(
            f"the embeddings have {len(wanted)} items, and not each is one of the {len(items)} "
            "items given; pass the table `data.items` of the same data"
        )
    return by_text[wanted].tolist()
