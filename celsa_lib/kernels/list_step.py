"""Compiled loops of training on a CPU: the k-sparse step among so many items that few are reached.

A score is not 0 only where the row holds one of the user's latents. One user at a time: the lists
of these latents (see `by_columns`) lead to the items that are reached, and no other is looked at.
What is computed is what `sparse_step` computes, with its arguments, up to the order of sums.
"""

import numpy as np
from numba import get_num_threads, njit, prange

from celsa_lib.kernels.columns import in_order
from celsa_lib.kernels.compiled import compiled
from celsa_lib.kernels.rows import add_up_gradient
from celsa_lib.kernels.simd import INLINE, PARALLEL, ZERO
from celsa_lib.kernels.sparse_step import loss_of_user


def list_workspace(
    n_items: int, n_values: int, width: int, n_outputs: int
) -> tuple[np.ndarray, ...]:
    """E, D (threads × width), P (threads × outputs), C, G (threads × values), own (threads ×
    items); latents, reached: of a user, and the outputs they lead to, int32; held, met: which.

    See `sparse_step.workspace` for the capitals. All are zeros between users.
    """
    threads = get_num_threads()
    widths = [width, width, n_outputs, n_values, n_values, n_items]
    arrays = [np.zeros((threads, n), np.float32) for n in widths]
    arrays += [np.zeros((threads, n), np.int32) for n in (width, n_outputs)]
    return (*arrays, *(np.zeros((threads, n), np.bool_) for n in (width, n_outputs)))


@njit(**INLINE)
def encode_one(first, last, items, visible, A, inputs, e, latents, held):
    """e = Σ w_i·a_i over the visible ones of `items` first … last; its latents, and how many."""
    row_starts, cols, values = A
    n_latents = 0
    for n in range(first, last):
        if visible[n]:
            i = items[n]
            for k in range(row_starts[i], row_starts[i + 1]):
                c = cols[k]
                if not held[c]:
                    held[c], latents[n_latents] = True, c
                    n_latents += 1
                e[c] += inputs[i] * values[k]
    return n_latents


@njit(**INLINE)
def decode_one(latents, e, starts, places, ordered, p, reached, met):
    """p += E·Aᵀ·s at the outputs that the latents lead to; those outputs, and how many."""
    n_reached = 0
    for c in latents:
        for b in range(len(starts)):
            for k in range(starts[b, c], starts[b, c + 1]):
                o = places[k]
                if not met[o]:
                    met[o], reached[n_reached] = True, o
                    n_reached += 1
                p[o] += e[c] * ordered[k]
    return n_reached


@njit(**INLINE)
def backward_one(latents, alpha, e, starts, places, ordered, p, d, C):
    """C[k] += α·e_c·p and d_c = Σ a_ic·s_i·p_i, over the lists of the user's latents."""
    for c in latents:
        weight, total = alpha * e[c], ZERO
        for b in range(len(starts)):
            for k in range(starts[b, c], starts[b, c + 1]):
                target = p[places[k]]
                C[k] += weight * target
                total += ordered[k] * target
        d[c] = total


@njit(**INLINE)
def take_own_part(first, last, items, positions, visible, scales, inputs, met, p):
    """p −= s_i·w_i at the visible ones of a user's items; one that no latent leads to stays 0."""
    for n in range(first, last):
        if visible[n] and met[positions[n]]:
            i = items[n]
            p[positions[n]] -= scales[i] * inputs[i]


@njit(**INLINE)
def clip_reached(reached, cap, p):
    """p = ReLU(p), at most `cap`, at the outputs reached; Σ p²."""
    squares = 0.0
    for o in reached:
        p[o] = min(max(p[o], ZERO), cap)
        squares += p[o] * p[o]
    return squares


@njit(**INLINE)
def flatten_one(seen, reached, cap, shift, p):
    """What the gradient is α times of: p less `shift` at seen items where ReLU is not flat."""
    for o in seen:
        if ZERO < p[o] < cap:
            p[o] -= shift
    if cap < np.inf:
        for o in reached:
            if p[o] >= cap:
                p[o] = ZERO


@njit(**INLINE)
def backward_encode_one(first, last, items, positions, visible, alpha, A, p, d, G, own):
    """G[k] += α·d[c_k] for every visible item's row, and own[i] += α·p[i]."""
    row_starts, cols = A[0], A[1]
    for n in range(first, last):
        if visible[n]:
            i = items[n]
            own[i] += alpha * p[positions[n]]
            for k in range(row_starts[i], row_starts[i + 1]):
                G[k] += alpha * d[cols[k]]


@njit(**INLINE)
def clear_user(latents, held, e, reached, met, p):
    """Zeros again, for the next user."""
    for c in latents:
        held[c], e[c] = False, ZERO
    for o in reached:
        met[o], p[o] = False, ZERO


@compiled(**PARALLEL)
def list_step(
    indptr, items, positions, outputs, visible, row_starts, cols, values, out_scales, in_scales,
    cap, starts, order, places, gradient, slopes, E, D, P, C, G, own, latents, reached, held, met,
):  # fmt: skip
    """Loss of each user, and the gradient of their mean over users × outputs: see `sparse_step`.

    E … met: see `list_workspace`.
    """
    n_users, threads = len(indptr) - 1, len(E)
    losses, A = np.zeros(n_users), (row_starts, cols, values)
    scale = 2.0 / (n_users * len(outputs))
    ordered = in_order(values, out_scales, outputs, order, places)
    for t in prange(threads):
        e, d, p, by_column, g = E[t], D[t], P[t], C[t], G[t]
        by_column[:] = ZERO
        g[:] = ZERO
        own[t] = ZERO
        for user in range(t, n_users, threads):
            first, last = indptr[user], indptr[user + 1]
            n = encode_one(first, last, items, visible, A, in_scales, e, latents[t], held[t])
            mine = latents[t, :n]
            n = decode_one(mine, e, starts, places, ordered, p, reached[t], met[t])
            there, seen = reached[t, :n], positions[first:last]
            take_own_part(first, last, items, positions, visible, out_scales, in_scales, met[t], p)
            square, length = clip_reached(there, cap, p), last - first
            overlap = 0.0
            for o in seen:
                overlap += p[o]
            losses[user] = loss_of_user(square, overlap, length)
            if overlap > 0.0:
                norm = np.sqrt(square)
                alpha = np.float32(scale * overlap / (norm * norm * norm * np.sqrt(length)))
                flatten_one(seen, there, cap, np.float32(square / overlap), p)
                backward_one(mine, alpha, e, starts, places, ordered, p, d, by_column)
                backward_encode_one(
                    first, last, items, positions, visible, alpha, A, p, d, g, own[t]
                )
            clear_user(mine, held[t], e, there, met[t], p)
    add_up_gradient(order, row_starts, values, out_scales, in_scales, C, G, own, gradient, slopes)
    return losses
