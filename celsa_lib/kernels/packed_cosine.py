"""Cosines of packed rows, read where they lie."""

import numpy as np

from celsa_lib.kernels.compiled import compiled
from celsa_lib.kernels.packed import PackedLayout, decode_users, read_row
from celsa_lib.kernels.rows import TINY
from celsa_lib.kernels.simd import ZERO


@compiled()
def packed_norms(layout, longest):
    """The ℓ2 norm of each packed row, float32; of an empty one TINY."""
    columns, values = np.empty(longest, np.int64), np.empty(longest, np.float32)
    norms = np.empty(len(layout.starts) - 1, np.float32)
    for i in range(len(norms)):
        square = ZERO
        for k in range(read_row(layout, i, columns, values)):
            square += values[k] * values[k]
        norms[i] = max(np.sqrt(square), np.float32(TINY))
    return norms


def packed_cosines(
    layout: PackedLayout, longest: int, width: int, items: np.ndarray, norms: np.ndarray
) -> np.ndarray:
    """Cosines of the packed rows of `items` with all rows, items × rows, float32.

    norms: those of all rows.
    """
    written_out = np.zeros((len(items), width), np.float32)
    _write_out(layout, longest, items, written_out)
    written_out /= norms[items, None]
    return decode_users(layout, longest, written_out) / norms


@compiled()
def _write_out(layout, longest, items, written_out):
    columns, values = np.empty(longest, np.int64), np.empty(longest, np.float32)
    for place in range(len(items)):
        for k in range(read_row(layout, items[place], columns, values)):
            written_out[place, columns[k]] = values[k]
