"""What embeddings are made of, checked where it comes in: rows, ids, scales, what is known."""

import json
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from celsa_lib.arrays import check_csr
from celsa_lib.errors import LONGEST_ID, ConfigError, DataError, check_count, plainly


def ids_array(item_ids) -> np.ndarray:
    """Ids of items as an array. Raises DataError for ids that are no list, or too long to be kept.

    An array of text, in memory and in a file, gives each id as many characters as the longest.
    """
    if (
        isinstance(item_ids, str)
        or not hasattr(item_ids, "__len__")
        or getattr(item_ids, "ndim", 1) != 1
    ):
        raise DataError(f"item ids are a list, one per row, got {plainly(item_ids)}")
    if not isinstance(item_ids, np.ndarray) or item_ids.dtype == object:
        longest = max((len(one) for one in item_ids if isinstance(one, str)), default=0)
        if longest > LONGEST_ID:
            raise DataError(
                f"an item id has {longest:,} characters, of which {LONGEST_ID:,} are kept at most; "
                "shorten it"
            )
    try:
        return np.asarray(item_ids)
    except ValueError as error:
        raise DataError("item ids are texts or whole numbers, got lists of several") from error


def check_distinct(item_ids: np.ndarray) -> None:
    """Raise DataError for an id that stands twice, compared as the text that files have."""
    texts = item_ids.astype(str)
    found, counts = np.unique(texts, return_counts=True)
    if len(found) < len(texts):
        twice = found[np.argmax(counts > 1)]
        raise DataError(f"the item id {twice} stands more than once; name each item differently")


def each_alone(items: Sequence[int], n_items: int) -> csr_matrix:
    """A row for each of `items`, positions of n_items, with a one there: asked × items.

    Raises ConfigError for what is no list of positions, and for one that is not there.
    """
    if not isinstance(items, Sequence | np.ndarray) or isinstance(items, str):
        raise ConfigError(f"items is a list of positions, got {plainly(items)}")
    for item in items:
        check_count(least=0, item=item)
        if item >= n_items:
            raise ConfigError(f"there is no item {item}; they are 0 to {n_items - 1}")
    ones = np.ones(len(items), np.float32), items, np.arange(len(items) + 1)
    return csr_matrix(ones, shape=(len(items), n_items))


def as_rows(matrix) -> csr_matrix:
    """Rows as CSR float32. Raises DataError for what is no matrix of numbers."""
    if hasattr(matrix, "indptr"):
        _check_places(matrix)
    try:
        if matrix is None or getattr(matrix, "ndim", 2) != 2:
            raise ValueError("it has not two dimensions")
        if np.iscomplexobj(matrix):
            raise TypeError("numbers with two parts")
        return csr_matrix(matrix, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"embedding rows are a matrix of numbers, items × width with two dimensions, got a "
            f"{type(matrix).__name__}"
        ) from error


def _check_places(matrix) -> None:
    """Raise DataError unless each value of a sparse matrix has a place."""
    try:
        check_csr(matrix)
    except ValueError as error:
        raise DataError(f"the embedding rows do not fit together: {error}") from error


def plain_about(about) -> dict:
    """What is known of rows, as a file can hold it. Raises ConfigError."""
    try:
        json.dumps(about)
        return dict(about or {})
    except (TypeError, ValueError) as error:
        raise ConfigError(f"about is a dictionary of plain values, got {plainly(about)}") from error


def as_scales(input_scales) -> np.ndarray:
    """A number per row, float32. Raises DataError for what is none."""
    try:
        return np.asarray(input_scales, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"input_scales are numbers, got {plainly(input_scales)}") from error
