"""Compiled loops of training on a CPU: the k-sparse step.

Users are taken LANES at a time and their latents kept as rows of LANES floats, one row per latent:
a nonzero of A then costs a few vector instructions on memory that stays in cache, and no users ×
items array exists. Arrays are C-contiguous.
"""

import numpy as np
from numba import get_num_threads, njit, prange

from celsa_lib.kernels.columns import in_order
from celsa_lib.kernels.compiled import compiled
from celsa_lib.kernels.rows import add_up_gradient
from celsa_lib.kernels.simd import (
    INLINE,
    LANES,
    ONE,
    PARALLEL,
    ZERO,
    add_dots,
    add_row,
    aligned,
    below,
    clip,
    dot,
    load,
    multiply_add,
    splat,
    store,
)

CHUNK = 128  # outputs whose squares are summed in float32 before they go to float64
PAD = 16  # floats between rows of R: with a power of two, all would share one set of the cache


def workspace(n_items: int, n_values: int, width: int, n_outputs: int) -> tuple[np.ndarray, ...]:
    """E and D (threads × width × LANES), P (threads × outputs × LANES), C and G (threads × values),
    own (threads × items), R (threads × LANES × width + PAD).

    A share a thread: users' latents, their gradient, scores, the gradient of the rows through the
    decoder (by columns) and through the encoder (by rows), what of it an item's own part takes off,
    and users' latents with each user in a row.
    """
    threads = get_num_threads()
    shapes = [(threads, width, LANES)] * 2 + [(threads, n_outputs, LANES)]
    shapes += [(threads, n_values)] * 2 + [(threads, n_items), (threads, LANES, width + PAD)]
    return tuple(aligned(shape) for shape in shapes)


@njit(**INLINE)
def through_rows(n_seen, row_starts, width):
    """Whether users touch so many latents that a detour through R, a user in a row, pays.

    A lane is one value in each line of cache.
    """
    n_items = len(row_starts) - 1
    return 4 * n_seen * (row_starts[n_items] // n_items) > LANES * width


@njit(**INLINE)
def encode(indptr, items, positions, visible, start, stop, A, inputs, E, P, R):
    """E = Σ w_i·a_i and P = −w_i at visible items, for the users start … stop, one lane each."""
    row_starts = A[0]
    start_scores(indptr, items, positions, visible, start, stop, inputs, P)
    if not through_rows(indptr[stop] - indptr[start], row_starts, len(E)):
        E[:] = ZERO
        for user in range(start, stop):
            add_rows(indptr[user], indptr[user + 1], items, visible, A, inputs, E[:, user - start])
        return
    R[:] = ZERO
    for user in range(start, stop):
        add_rows(indptr[user], indptr[user + 1], items, visible, A, inputs, R[user - start])
    for c in range(len(E)):
        for lane in range(LANES):
            E[c, lane] = R[lane, c]


@njit(**INLINE)
def start_scores(indptr, items, positions, visible, start, stop, inputs, P):
    """P = −w_i at visible items, for the users start … stop, one lane each."""
    P[:] = ZERO
    for user in range(start, stop):
        for n in range(indptr[user], indptr[user + 1]):
            if visible[n]:
                P[positions[n], user - start] -= inputs[items[n]]


@njit(**INLINE)
def add_rows(first, last, items, visible, A, inputs, latents):
    """latents += Σ of the rows of the visible ones of `items` first … last, times their scale."""
    row_starts, cols, values = A
    for n in range(first, last):
        if visible[n]:
            i = items[n]
            row, weight = slice(row_starts[i], row_starts[i + 1]), inputs[i]
            value, column = values[row], cols[row]
            for j in range(len(value)):
                latents[np.uint32(column[j])] += weight * value[j]  # unsigned: not negative


@njit(**INLINE)
def decode(outputs, A, scales, cap, E, P, squares, partial):
    """P = ReLU(s·(P + E·Aᵀ)), at most `cap`, one row per output; squares: each user's Σ p²."""
    row_starts, cols, values = A
    squares[:] = 0.0
    low, high = splat(ZERO), splat(cap)
    for first in range(0, len(outputs), CHUNK):
        total = splat(ZERO)
        for o in range(first, min(first + CHUNK, len(outputs))):
            i = outputs[o]
            first_value, last_value = row_starts[i], row_starts[i + 1]
            score = add_row(values, cols, first_value, last_value, E, load(P, o))
            p = clip(multiply_add(splat(scales[i]), score, low), low, high)
            store(P, o, p)
            total = multiply_add(p, p, total)
        store(partial, 0, total)
        for lane in range(LANES):
            squares[lane] += partial[0, lane]


@njit(**INLINE)
def loss_and_target(indptr, positions, start, stop, squares, cap, scale, P, alpha, losses):
    """Each user's loss; P becomes what its gradient is `alpha` times of (0 where ReLU is flat)."""
    alpha[:] = ZERO
    for user in range(start, stop):
        lane = user - start
        seen = positions[indptr[user] : indptr[user + 1]]
        overlap = overlap_with(seen, P, lane)
        losses[user] = loss_of_user(squares[lane], overlap, len(seen))
        alpha[0, lane] = subtract_target(
            seen, squares[lane], overlap, len(seen), cap, scale, P, lane
        )


@njit(**INLINE)
def overlap_with(seen, P, lane):
    """Σ_seen p of one user."""
    overlap = 0.0
    for position in seen:
        overlap += P[position, lane]
    return overlap


@njit(**INLINE)
def loss_of_user(square, overlap, length):
    """2 − 2·o/(‖p‖‖x‖) of a history of `length` items, with o = Σ_seen p; square: ‖p‖²."""
    norm = np.sqrt(square)
    return 1.0 if norm == 0.0 else 2.0 - 2.0 * overlap / (norm * np.sqrt(length))


@njit(**INLINE)
def subtract_target(seen, square, overlap, length, cap, scale, P, lane):
    """What the gradient of the loss by p is, alpha·(p − x·‖p‖²/o): alpha; P becomes the rest.

    alpha is scale·o/(‖p‖³‖x‖), with o and ‖p‖² of all items, of which `seen` may be some.
    """
    if overlap <= 0.0:
        return ZERO
    norm = np.sqrt(square)
    target = np.float32(norm * norm / overlap)
    for position in seen:
        if ZERO < P[position, lane] < cap:
            P[position, lane] -= target
    return np.float32(scale * overlap / (norm * norm * norm * np.sqrt(length)))


@njit(**INLINE)
def backward(starts, places, values, alpha, E, P, D, C):
    """Through the decoder, column by column: C[k] += Σ_u α_u·P[i, u]·E[c, u], D[c] = Σ_i a_ic·P[i].

    `values` and C hold the nonzeros in the order of `by_columns`. E[c] and D[c] stay in registers,
    so that only P is read for each nonzero.
    """
    weights, zero = load(alpha, 0), splat(ZERO)
    for b in range(len(starts)):
        for c in range(starts.shape[1] - 1):
            first, last = starts[b, c], starts[b, c + 1]
            whole = last - (last - first) % 4
            e = multiply_add(weights, load(E, c), zero)
            d, other = load(D, c) if b else zero, zero
            for k in range(first, whole, 4):
                p0, p1 = load(P, places[k]), load(P, places[k + 1])
                p2, p3 = load(P, places[k + 2]), load(P, places[k + 3])
                add_dots(C, k, e, p0, p1, p2, p3)
                d = multiply_add(splat(values[k]), p0, d)
                other = multiply_add(splat(values[k + 1]), p1, other)
                d = multiply_add(splat(values[k + 2]), p2, d)
                other = multiply_add(splat(values[k + 3]), p3, other)
            for k in range(whole, last):
                p = load(P, places[k])
                C[k] += dot(e, p)
                d = multiply_add(splat(values[k]), p, d)
            store(D, c, multiply_add(splat(ONE), other, d))


@njit(**INLINE)
def flatten_capped(P, cap):
    """P = 0 where it has reached `cap`: no gradient passes there."""
    high = splat(cap)
    for o in range(len(P)):
        store(P, o, below(load(P, o), high))


@njit(**INLINE)
def backward_encode(indptr, items, positions, visible, start, stop, alpha, A, P, D, G, own, R):
    """Through the encoder: G[k] += α·D[c_k] for every visible item's row, and own[i] += α·P[i]."""
    row_starts, cols = A[0], A[1]
    detour = through_rows(indptr[stop] - indptr[start], row_starts, len(D))
    if detour:
        for c in range(len(D)):
            for lane in range(LANES):
                R[lane, c] = D[c, lane]
    for user in range(start, stop):
        lane = user - start
        weight = alpha[0, lane]
        for n in range(indptr[user], indptr[user + 1]):
            if visible[n]:
                own[items[n]] += weight * P[positions[n], lane]
        seen = indptr[user], indptr[user + 1]
        if detour:
            add_latents(seen, items, visible, weight, R[lane], row_starts, cols, G)
        else:
            add_latents(seen, items, visible, weight, D[:, lane], row_starts, cols, G)


@njit(**INLINE)
def add_latents(seen, items, visible, weight, latents, row_starts, cols, G):
    """G[k] += weight·latents[c_k] for the rows of the visible ones of `items` in `seen`."""
    for n in range(seen[0], seen[1]):
        if visible[n]:
            row = slice(row_starts[items[n]], row_starts[items[n] + 1])
            gradient, column = G[row], cols[row]
            for j in range(len(gradient)):
                gradient[j] += weight * latents[np.uint32(column[j])]


@compiled(**PARALLEL)
def sparse_step(
    indptr, items, positions, outputs, visible, row_starts, cols, values, out_scales, in_scales,
    cap, starts, order, places, gradient, slopes, E, D, P, C, G, own, R,
):  # fmt: skip
    """Loss of each user, and the gradient of their mean over users × outputs: equation (1).

    `gradient`, of the unit rows `values`; `slopes` (2 × items), of log s and log w. indptr, items:
    histories; positions: of `items` among `outputs`; visible: what the encoder sees of them.
    starts, order, places: see `by_columns`. E … R: see `workspace`; what they held is lost.
    """
    n_users, threads = len(indptr) - 1, len(E)
    losses = np.zeros(n_users)
    scale, A = 2.0 / (n_users * len(outputs)), (row_starts, cols, values)
    ordered = in_order(values, out_scales, outputs, order, places)
    for t in prange(threads):
        e, d, p, by_column, g, r = E[t], D[t], P[t, : len(outputs)], C[t], G[t], R[t]
        squares = np.zeros(LANES)
        partial, alpha = np.zeros((1, LANES), np.float32), np.zeros((1, LANES), np.float32)
        g[:] = ZERO
        by_column[:] = ZERO
        own[t] = ZERO
        for start in range(t * LANES, n_users, threads * LANES):
            stop = min(start + LANES, n_users)
            encode(indptr, items, positions, visible, start, stop, A, in_scales, e, p, r)
            decode(outputs, A, out_scales, cap, e, p, squares, partial)
            loss_and_target(indptr, positions, start, stop, squares, cap, scale, p, alpha, losses)
            if cap < np.inf:
                flatten_capped(p, cap)
            backward(starts, places, ordered, alpha, e, p, d, by_column)
            backward_encode(
                indptr, items, positions, visible, start, stop, alpha, A, p, d, g, own[t], r
            )
    add_up_gradient(order, row_starts, values, out_scales, in_scales, C, G, own, gradient, slopes)
    return losses
