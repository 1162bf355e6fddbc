"""Compiled loops of training on a CPU: the k-sparse step, and what the optimiser does to rows.

Users are taken LANES at a time and their latents kept as rows of LANES floats, one row a latent:
a nonzero of A then costs a few vector instructions on memory that stays in cache, and no users ×
items array exists. Arrays are C-contiguous.
"""

import numpy as np
from numba import get_num_threads, njit, prange

from celsa_lib.simd import (
    INLINE,
    LANES,
    ONE,
    PARALLEL,
    ZERO,
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
from celsa_lib.training.objective import TINY

CHUNK = 128  # outputs whose squares are summed in float32 before they go to float64


def workspace(n_items: int, nnz: int, width: int, n_outputs: int) -> tuple[np.ndarray, ...]:
    """E and D (threads × width × LANES), P (threads × outputs × LANES), G (threads × items × nnz).

    A share a thread: users' latents, their gradient, scores, and the gradient of the rows.
    """
    threads = get_num_threads()
    shapes = [(threads, width, LANES)] * 2 + [(threads, n_outputs, LANES), (threads, n_items, nnz)]
    return tuple(aligned(shape) for shape in shapes)


@njit(**INLINE)
def encode(indptr, items, positions, start, stop, values, cols, E, P):
    """E += x·A and P −= x for the users start … stop, one lane each."""
    for user in range(start, stop):
        lane = user - start
        for n in range(indptr[user], indptr[user + 1]):
            P[positions[n], lane] -= ONE
            for j in range(values.shape[1]):
                E[cols[items[n], j], lane] += values[items[n], j]


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
def backward(outputs, values, cols, cap, E, P, D, G):
    """Through the decoder: G[i, j] += Σ_u P[i, u]·E[c_ij, u] and D[c_ij] += a_ij·P[i]."""
    high = splat(cap)
    for o in range(len(outputs)):
        i = outputs[o]
        p = below(load(P, o), high)
        for j in range(values.shape[1]):
            c = cols[i, j]
            G[i, j] += dot(p, load(E, c))
            store(D, c, multiply_add(splat(values[i, j]), p, load(D, c)))


@njit(**INLINE)
def backward_encode(indptr, items, start, stop, alpha, cols, D, G):
    """Through the encoder: G[i, j] += α·D[c_ij] for every seen item i."""
    for user in range(start, stop):
        lane = user - start
        for n in range(indptr[user], indptr[user + 1]):
            for j in range(cols.shape[1]):
                G[items[n], j] += alpha[0, lane] * D[cols[items[n], j], lane]


@njit(**PARALLEL)
def sparse_step(indptr, items, positions, outputs, values, cols, cap, E, D, P, G):
    """Loss of each user, and in G[0] the gradient of their mean over users × outputs: equation (1).

    values, cols (items × nnz): unit rows. indptr, items: histories; positions: of `items` among
    `outputs`. E, D, P, G: see `workspace`; what they held is lost.
    """
    n_users, threads, zero = len(indptr) - 1, len(E), splat(ZERO)
    losses = np.zeros(n_users)
    scale = 2.0 / (n_users * len(outputs))
    for t in prange(threads):
        e, d, p, g = E[t], D[t], P[t], G[t]
        squares = np.zeros(LANES)
        partial, alpha = np.zeros((1, LANES), np.float32), np.zeros((1, LANES), np.float32)
        g[:] = ZERO
        for start in range(t * LANES, n_users, threads * LANES):
            stop = min(start + LANES, n_users)
            e[:] = ZERO
            d[:] = ZERO
            p[: len(outputs)] = ZERO
            encode(indptr, items, positions, start, stop, values, cols, e, p)
            decode(outputs, values, cols, cap, e, p, squares, partial)
            loss_and_target(indptr, positions, start, stop, squares, cap, scale, p, alpha, losses)
            weights = load(alpha, 0)
            for c in range(len(e)):
                store(e, c, multiply_add(weights, load(e, c), zero))
            backward(outputs, values, cols, cap, e, p, d, g)
            backward_encode(indptr, items, start, stop, alpha, cols, d, g)
    for i in prange(G.shape[1]):
        for t in range(1, threads):
            for j in range(G.shape[2]):
                G[0, i, j] += G[t, i, j]
    return losses


@njit(**PARALLEL)
def unit_backward(values, gradient):
    """Turn the gradient of the unit rows into that of `values`, in place (items × nnz)."""
    for i in prange(len(values)):
        square, along = 0.0, 0.0
        for j in range(values.shape[1]):
            square += values[i, j] * values[i, j]
            along += values[i, j] * gradient[i, j]
        norm = max(np.sqrt(square), TINY)
        shrink, scale = np.float32(along / (norm * norm)), np.float32(1.0 / norm)
        for j in range(values.shape[1]):
            gradient[i, j] = scale * (gradient[i, j] - shrink * values[i, j])


@njit(**PARALLEL)
def nadam_update(values, gradient, m, v, beta1, beta2, bias2, of_gradient, of_momentum, epsilon):
    """One NAdam step in place; see `nadam.Nadam` for the scalars."""
    for i in prange(len(values)):
        for j in range(values.shape[1]):
            g = gradient[i, j]
            m[i, j] += (g - m[i, j]) * (ONE - beta1)
            v[i, j] = beta2 * v[i, j] + (ONE - beta2) * g * g
            root = np.sqrt(v[i, j] / bias2) + epsilon
            values[i, j] -= (of_gradient * g + of_momentum * m[i, j]) / root
