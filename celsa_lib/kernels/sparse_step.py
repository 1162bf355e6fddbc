"""Compiled loops of training on a CPU: the k-sparse step.

Users are taken LANES at a time and their latents kept as rows of LANES floats, one row per latent:
a nonzero of A then costs a few vector instructions on memory that stays in cache, and no users ×
items array exists. Arrays are C-contiguous.
"""

import numpy as np
from numba import get_num_threads, njit, prange

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
BLOCK = 2500  # outputs whose scores (LANES floats each) stay in cache while columns pass over them
PER_COLUMN = 16  # nonzeros of a column in a block, at least, or the passes cost more than they save


def workspace(n_items: int, nnz: int, width: int, n_outputs: int) -> tuple[np.ndarray, ...]:
    """E and D (threads × width × LANES), P (threads × outputs × LANES), G (threads × items × nnz),
    C (threads × outputs·nnz), R (threads × LANES × width + PAD).

    A share a thread: users' latents, their gradient, scores, the gradient of the rows (from the
    encoder by rows, from the decoder by columns), and users' latents with each user in a row.
    """
    threads = get_num_threads()
    shapes = [(threads, width, LANES)] * 2 + [(threads, n_outputs, LANES), (threads, n_items, nnz)]
    shapes += [(threads, n_outputs * nnz), (threads, LANES, width + PAD)]
    return tuple(aligned(shape) for shape in shapes)


@njit(**PARALLEL)
def by_columns(cols, outputs, width):
    """The nonzeros of the rows `outputs` in order of column, a block of outputs at a time.

    (starts, order, places): those of column c in block b are starts[b, c] … starts[b, c + 1] of
    `order`, their index in the rows written flat, and of `places`, their row's index in `outputs`.
    """
    nnz, n_outputs = cols.shape[1], len(outputs)
    size = max(BLOCK, PER_COLUMN * width // nnz)
    n_blocks = (n_outputs + size - 1) // size
    starts = np.empty((n_blocks, width + 1), np.int64)
    order, places = np.empty((2, n_outputs * nnz), np.int32)
    for b in prange(n_blocks):
        first, last = b * size, min((b + 1) * size, n_outputs)
        following = np.zeros(width + 1, np.int64)
        following[0] = first * nnz
        for o in range(first, last):
            for c in cols[outputs[o]]:
                following[c + 1] += 1
        for c in range(width):
            following[c + 1] += following[c]
        starts[b] = following
        for o in range(first, last):
            for j in range(nnz):
                c = cols[outputs[o], j]
                order[following[c]] = outputs[o] * nnz + j
                places[following[c]] = o
                following[c] += 1
    return starts, order, places


@njit(**INLINE)
def through_rows(indptr, start, stop, nnz, width):
    """Whether the users touch so many latents that a detour through R, a user in a row, pays.

    A lane is one value in each line of cache.
    """
    return 4 * (indptr[stop] - indptr[start]) * nnz > LANES * width


@njit(**INLINE)
def encode(indptr, items, positions, start, stop, values, cols, E, P, R):
    """E = x·A and P = −x for the users start … stop, one lane each."""
    P[:] = ZERO
    for user in range(start, stop):
        for n in range(indptr[user], indptr[user + 1]):
            P[positions[n], user - start] -= ONE
    if not through_rows(indptr, start, stop, values.shape[1], len(E)):
        E[:] = ZERO
        for user in range(start, stop):
            add_rows(items[indptr[user] : indptr[user + 1]], values, cols, E[:, user - start])
        return
    R[:] = ZERO
    for user in range(start, stop):
        add_rows(items[indptr[user] : indptr[user + 1]], values, cols, R[user - start])
    for c in range(len(E)):
        for lane in range(LANES):
            E[c, lane] = R[lane, c]


@njit(**INLINE)
def add_rows(items, values, cols, latents):
    """latents += Σ of the rows `items`."""
    for i in items:
        value, column = values[i], cols[i]
        for j in range(len(value)):
            latents[np.uint32(column[j])] += value[j]  # unsigned: no test for negative indices


@njit(**INLINE)
def decode(outputs, values, cols, cap, E, P, squares, partial):
    """P = ReLU(P + E·Aᵀ), at most `cap`, one row an output; squares: each user's Σ p²."""
    squares[:] = 0.0
    low, high = splat(ZERO), splat(cap)
    for first in range(0, len(outputs), CHUNK):
        total = splat(ZERO)
        for o in range(first, min(first + CHUNK, len(outputs))):
            score = add_row(values[outputs[o]], cols[outputs[o]], E, load(P, o))
            p = clip(score, low, high)
            store(P, o, p)
            total = multiply_add(p, p, total)
        store(partial, 0, total)
        for lane in range(LANES):
            squares[lane] += partial[0, lane]


@njit(**INLINE)
def loss_and_target(indptr, positions, start, stop, squares, cap, scale, P, alpha, losses):
    """Each user's loss; P becomes what its gradient is `alpha` times of (0 where ReLU is flat).

    With o = Σ_seen p: loss 2 − 2·o/(‖p‖‖x‖), gradient 2·o/(‖p‖³‖x‖)·(p − x·‖p‖²/o).
    """
    alpha[:] = ZERO
    for user in range(start, stop):
        lane = user - start
        seen = positions[indptr[user] : indptr[user + 1]]
        overlap = 0.0
        for position in seen:
            overlap += P[position, lane]
        norm, length = np.sqrt(squares[lane]), np.sqrt(len(seen))
        losses[user] = 1.0 if norm == 0.0 else 2.0 - 2.0 * overlap / (norm * length)
        if overlap > 0.0:
            alpha[0, lane] = scale * overlap / (norm * norm * norm * length)
            target = np.float32(norm * norm / overlap)
            for position in seen:
                if ZERO < P[position, lane] < cap:
                    P[position, lane] -= target


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
def backward_encode(indptr, items, start, stop, alpha, cols, D, G, R):
    """Through the encoder: G[i, j] += α·D[c_ij] for every seen item i."""
    detour = through_rows(indptr, start, stop, cols.shape[1], len(D))
    if detour:
        for c in range(len(D)):
            for lane in range(LANES):
                R[lane, c] = D[c, lane]
    for user in range(start, stop):
        lane, seen = user - start, items[indptr[user] : indptr[user + 1]]
        if detour:
            add_latents(seen, alpha[0, lane], R[lane], cols, G)
        else:
            add_latents(seen, alpha[0, lane], D[:, lane], cols, G)


@njit(**INLINE)
def add_latents(items, scale, latents, cols, G):
    """G[i, j] += scale·latents[c_ij] for every one of `items`."""
    for i in items:
        gradient, column = G[i], cols[i]
        for j in range(len(gradient)):
            gradient[j] += scale * latents[np.uint32(column[j])]


@njit(**PARALLEL)
def sparse_step(
    indptr, items, positions, outputs, values, cols, cap, starts, order, places, E, D, P, G, C, R
):  # fmt: skip
    """Loss of each user, and in G[0] the gradient of their mean over users × outputs: equation (1).

    values, cols (items × nnz): unit rows. indptr, items: histories; positions: of `items` among
    `outputs`. starts, order, places: see `by_columns`. E … R: see `workspace`; what they held is
    lost.
    """
    n_users, threads = len(indptr) - 1, len(E)
    losses = np.zeros(n_users)
    scale = 2.0 / (n_users * len(outputs))
    flat, ordered = values.ravel(), np.empty(len(order), np.float32)
    for k in prange(len(order)):
        ordered[k] = flat[order[k]]
    for t in prange(threads):
        e, d, p, g, by_column, r = E[t], D[t], P[t, : len(outputs)], G[t], C[t], R[t]
        squares = np.zeros(LANES)
        partial, alpha = np.zeros((1, LANES), np.float32), np.zeros((1, LANES), np.float32)
        g[:] = ZERO
        by_column[:] = ZERO
        for start in range(t * LANES, n_users, threads * LANES):
            stop = min(start + LANES, n_users)
            encode(indptr, items, positions, start, stop, values, cols, e, p, r)
            decode(outputs, values, cols, cap, e, p, squares, partial)
            loss_and_target(indptr, positions, start, stop, squares, cap, scale, p, alpha, losses)
            if cap < np.inf:
                flatten_capped(p, cap)
            backward(starts, places, ordered, alpha, e, p, d, by_column)
            backward_encode(indptr, items, start, stop, alpha, cols, d, g, r)
    total = G[0].ravel()
    for i in prange(G.shape[1]):
        for t in range(1, threads):
            for j in range(G.shape[2]):
                G[0, i, j] += G[t, i, j]
    for k in prange(len(order)):
        for t in range(threads):
            total[order[k]] += C[t, k]
    return losses
