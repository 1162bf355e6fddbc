"""Dense unit rows in few bits, by the usual ways of vector databases: what is left of the rows.

Each gives rows as they are decoded (items × width, float32, of unit norm, as those of ELSA are) and
bytes per item, with what all items share, such as code books, divided among them.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from celsa_lib.errors import ConfigError

FAISS = "faiss-cpu"  # the package, in an extra


class Coded(NamedTuple):
    """Rows as they are decoded, items × width, float32, and what they take, in bytes per item."""

    rows: np.ndarray
    bytes_per_item: float


def half(rows: np.ndarray) -> Coded:
    """float16: two bytes a value."""
    return Coded(unit(rows.astype(np.float16).astype(np.float32)), 2.0 * rows.shape[1])


def binary(rows: np.ndarray) -> Coded:
    """The sign of each value, ±1/√width: eight values a byte."""
    packed = np.packbits(rows > 0, axis=1)
    signs = np.unpackbits(packed, axis=1, count=rows.shape[1]).astype(np.float32)
    return Coded(unit(2 * signs - 1), float(packed.shape[1]))


def product(rows: np.ndarray, values: int, bits: int) -> Coded:
    """Product quantisation: `bits` for every `values` neighbours in a row, each with a code book.

    Code books are used, and counted, as float16. Raises ConfigError without faiss.
    """
    faiss, (n_items, width) = _faiss(), rows.shape
    quantiser = faiss.ProductQuantizer(width, width // values, bits)
    quantiser.cp.min_points_per_centroid = 1  # there are as many items as there are
    quantiser.train(np.resize(rows, (max(n_items, 2**bits), width)))  # again from the first
    books = faiss.vector_to_array(quantiser.centroids).astype(np.float16)
    faiss.copy_array_to_vector(books.astype(np.float32), quantiser.centroids)
    codes = quantiser.compute_codes(np.ascontiguousarray(rows))
    return Coded(unit(quantiser.decode(codes)), codes.shape[1] + books.nbytes / n_items)


def rabitq(rows: np.ndarray) -> Coded:
    """RaBitQ (Gao and Long 2024): signs around the mean row, and two float32 factors per item.

    As faiss stores it. Raises ConfigError without faiss.
    """
    # Rows are not rotated at random first: rotated, those of MovieLens-100K recommended worse.
    faiss, (n_items, width) = _faiss(), rows.shape
    index = faiss.IndexRaBitQ(width, faiss.METRIC_INNER_PRODUCT)
    index.train(np.ascontiguousarray(rows))
    codes = index.sa_encode(np.ascontiguousarray(rows))
    centre = 4 * width / n_items
    return Coded(unit(index.sa_decode(codes)), codes.shape[1] + centre)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows divided by their norm, which costs no bytes; a row of zeros stays."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1).astype(np.float32)


CODES: dict[str, Callable[[np.ndarray], Coded]] = {"float16": half, "binary": binary}
OF_FAISS: dict[str, Callable[[np.ndarray], Coded]] = {
    "PQ, 2 values in 4 bits": lambda rows: product(rows, 2, 4),
    "PQ, 4 values in 8 bits": lambda rows: product(rows, 4, 8),
    "RaBitQ": rabitq,
}


def has_faiss() -> bool:
    """Whether the codes OF_FAISS can be had."""
    try:
        _faiss()
    except ConfigError:
        return False
    return True


def _faiss():
    """The package. Raises ConfigError where it is not here."""
    try:
        import faiss
    except ImportError as error:
        raise ConfigError(
            f'PQ and RaBitQ need the package {FAISS}: pip install "celsa[bench]"'
        ) from error
    return faiss
