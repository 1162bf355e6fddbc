"""The nonzeros of rows in order of column, for loops that pass over columns."""

import numpy as np
from numba import prange

from celsa_lib.kernels.compiled import compiled
from celsa_lib.kernels.simd import PARALLEL

BLOCK = 2500  # outputs whose scores (LANES floats each) stay in cache while columns pass over them
PER_COLUMN = 16  # nonzeros of a column in a block, at least, or the passes cost more than they save


@compiled(**PARALLEL)
def by_columns(row_starts, cols, outputs, width):
    """The nonzeros of the rows `outputs` in order of column, a block of outputs at a time.

    (starts, order, places): those of column c in block b are starts[b, c] … starts[b, c + 1] of
    `order`, their index among all values, and of `places`, their row's index in `outputs`.
    """
    n_outputs = len(outputs)
    ends = np.zeros(n_outputs + 1, np.int64)
    for o in range(n_outputs):
        ends[o + 1] = ends[o] + row_starts[outputs[o] + 1] - row_starts[outputs[o]]
    size = max(BLOCK, PER_COLUMN * width * n_outputs // max(1, ends[-1]))
    n_blocks = (n_outputs + size - 1) // size
    starts = np.empty((n_blocks, width + 1), np.int64)
    order, places = np.empty((2, ends[-1]), np.int32)
    for b in prange(n_blocks):
        first, last = b * size, min((b + 1) * size, n_outputs)
        following = np.zeros(width + 1, np.int64)
        following[0] = ends[first]
        for o in range(first, last):
            for k in range(row_starts[outputs[o]], row_starts[outputs[o] + 1]):
                following[cols[k] + 1] += 1
        for c in range(width):
            following[c + 1] += following[c]
        starts[b] = following
        for o in range(first, last):
            for k in range(row_starts[outputs[o]], row_starts[outputs[o] + 1]):
                c = cols[k]
                order[following[c]] = k
                places[following[c]] = o
                following[c] += 1
    return starts, order, places


@compiled(**PARALLEL)
def in_order(values, scales, outputs, order, places):
    """s_i·a_ik of the rows `outputs`, in the order of `by_columns`."""
    ordered = np.empty(len(order), np.float32)
    for k in prange(len(order)):
        ordered[k] = values[order[k]] * scales[outputs[places[k]]]
    return ordered
