"""Compiled loops over rows on a CPU: sums, unit norms, top columns, the optimiser."""

import numpy as np
from numba import prange

from celsa_lib.kernels.compiled import compiled
from celsa_lib.kernels.simd import ONE, PARALLEL, ZERO

TINY = 1e-12  # keeps the norm of an all-zero row from dividing by zero


@compiled(**PARALLEL)
def add_sums(users, starts, D, G):
    """G[i] += Σ_u D[u] over users[starts[i] : starts[i + 1]] (to the end for the last i)."""
    for i in prange(len(G)):
        stop = starts[i + 1] if i + 1 < len(starts) else len(users)
        for s in range(starts[i], stop):
            total, row = G[i], D[users[s]]
            for j in range(len(total)):
                total[j] += row[j]


@compiled(**PARALLEL)
def top_columns(values, nnz):
    """Columns of the `nnz` largest |values| of each row, ascending; of equals, the lower ones."""
    cols = np.zeros((len(values), nnz), np.int64)
    for i in prange(len(values)):
        sizes = np.abs(values[i])
        first = len(sizes) - nnz
        smallest = np.partition(sizes, first)[first]
        equals = nnz - (sizes > smallest).sum()  # how many of the smallest kept size are kept
        place = 0
        for c in range(len(sizes)):
            if sizes[c] > smallest or (sizes[c] == smallest and equals > 0):
                equals -= sizes[c] == smallest
                cols[i, place] = c
                place += 1
    return cols


@compiled(**PARALLEL)
def unit_rows_into(values, starts, unit):
    """Write the rows starts[i] … starts[i + 1] of `values` with unit ℓ2 norm to `unit`.

    All-zero rows stay zero.
    """
    for i in prange(len(starts) - 1):
        square = ZERO
        for k in range(starts[i], starts[i + 1]):
            square += values[k] * values[k]
        scale = ONE / max(np.sqrt(square), np.float32(TINY))
        for k in range(starts[i], starts[i + 1]):
            unit[k] = scale * values[k]


@compiled(**PARALLEL)
def unit_backward(values, starts, gradient):
    """Turn the gradient of the unit rows into that of `values`, in place; rows as above."""
    for i in prange(len(starts) - 1):
        square, along = 0.0, 0.0
        for k in range(starts[i], starts[i + 1]):
            square += values[k] * values[k]
            along += values[k] * gradient[k]
        norm = max(np.sqrt(square), TINY)
        shrink, scale = np.float32(along / (norm * norm)), np.float32(1.0 / norm)
        for k in range(starts[i], starts[i + 1]):
            gradient[k] = scale * (gradient[k] - shrink * values[k])


@compiled(**PARALLEL)
def nadam_update(values, gradient, m, v, beta1, beta2, bias2, of_gradient, of_momentum, epsilon):
    """One NAdam step in place, all of one axis; see `nadam.Nadam` for the scalars."""
    for k in prange(len(values)):
        g = gradient[k]
        m[k] += (g - m[k]) * (ONE - beta1)
        v[k] = beta2 * v[k] + (ONE - beta2) * g * g
        root = np.sqrt(v[k] / bias2) + epsilon
        values[k] -= (of_gradient * g + of_momentum * m[k]) / root


@compiled(**PARALLEL)
def add_up_gradient(order, row_starts, values, out_scales, in_scales, C, G, own, gradient, slopes):
    """The gradient of the unit rows `values` from the shares of threads, and of log s and log w.

    C (threads × nonzeros in `order`): through the decoder; G (threads × values): through the
    encoder; own (threads × items): what an item's own part takes off. Written to `gradient` and
    `slopes` (2 × items); what G held is lost.
    """
    threads = len(C)
    if len(order) < len(gradient):  # rows of items that are not scored have no part through it
        gradient[:] = ZERO
    for k in prange(len(order)):
        decoded = ZERO
        for t in range(threads):
            decoded += C[t, k]
        gradient[np.uint32(order[k])] = decoded
    for i in prange(len(row_starts) - 1):
        s, w, taken = out_scales[i], in_scales[i], ZERO
        for t in range(threads):
            taken += own[t, i]
        of_output, of_input = ZERO, ZERO
        row = slice(row_starts[i], row_starts[i + 1])
        value, decoded, encoded = values[row], gradient[row], G[0, row]
        for t in range(1, threads):
            share = G[t, row]
            for j in range(len(encoded)):
                encoded[j] += share[j]
        for j in range(len(value)):
            of_output += value[j] * decoded[j]
            of_input += value[j] * encoded[j]
            decoded[j] = s * decoded[j] + w * encoded[j]
        slopes[0, i] = s * (of_output - w * taken)
        slopes[1, i] = w * (of_input - s * taken)
