"""Segments of the rows that come with the library."""

from functools import cache

from celsa_lib.errors import ConfigError
from celsa_lib.segments.naming import MajorityDescriber
from celsa_lib.segments.pipeline import segment_items
from celsa_lib.segments.segmentation import Segmentation
from celsa_lib.shipped import ShippedRows

# 11 books in each on average: alike, and enough for a row of tiles. Of seven numbers tried on the
# demo's personas, one whose segments hold most of their lists.
BOOK_GROUPS = 900


@cache
def segment_books(books: ShippedRows, nnz: int | None = None) -> Segmentation:
    """Groups around exemplars of the rows with `nnz` nonzeros (the most), named by their members.

    Made once. Raises ConfigError for rows that are not there.
    """
    if nnz is not None and nnz not in books.packed:
        raise ConfigError(f"there are rows of {list(books.packed)} nonzeros, not of {nnz!r}")
    rows = books.unpacked[max(books.packed) if nnz is None else nnz]
    describer = MajorityDescriber("Books")
    return segment_items(rows, books.items, describer=describer, n_groups=BOOK_GROUPS)
