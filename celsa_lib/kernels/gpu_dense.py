"""Triton kernels around the dense products of training on a GPU.

Rows of A are never normalised in memory: scores and users' latents are divided by their norms,
which the step before has left in `norms`. See kernels.gpu for the layout of batches.
"""

import triton
import triton.language as tl

from celsa_lib.kernels.gpu import (
    LEAST_NORM,
    N_SCALARS,
    RATE_OF_MEAN,
    SCALE,
    history,
    is_dropped,
    nadam,
)


@triton.jit
def encode_rows(step, order, indptr, items, seeds, A, inverse_norms, E, below, width, lanes,
                DROPOUT: tl.constexpr, N: tl.constexpr, K: tl.constexpr):  # fmt: skip
    """E[lane] = Σ a_i/‖a_i‖ over the items that are not dropped, K columns of it."""
    lane = tl.program_id(0)
    start, stop = history(step, order, indptr, lane, lanes)
    c = tl.program_id(1) * K + tl.arange(0, K)
    total = tl.zeros((K,), tl.float32)
    for first in range(start, stop, N):
        n = first + tl.arange(0, N)
        seen = n < stop
        if DROPOUT:
            seen &= ~is_dropped(n, tl.load(seeds + tl.load(step)), below)
        i = tl.load(items + n, mask=seen, other=0)
        weight = tl.load(inverse_norms + i, mask=seen, other=0.0)
        inside = seen[:, None] & (c < width)[None, :]
        a = tl.load(A + i.to(tl.int64)[:, None] * width + c[None, :], mask=inside, other=0.0)
        total += tl.sum(weight[:, None] * a, 0)
    tl.store(E + lane.to(tl.int64) * width + c, total, mask=c < width)


@triton.jit
def score_rows(step, order, indptr, items, seeds, table, times, inverse_norms, P, losses, cap,
               below, n_items, lanes, DROPOUT: tl.constexpr, SAMPLED: tl.constexpr, N: tl.constexpr,
               K: tl.constexpr):  # fmt: skip
    """Each user's loss; P (lanes × items), E·Aᵀ on entry, becomes the gradient of P/‖a_i‖.

    The formulas are those of `gpu.score_users`; SAMPLED: see `gpu.decode`.
    """
    lane, t = tl.program_id(0), tl.load(step)
    start, stop = history(step, order, indptr, lane, lanes)
    P += lane.to(tl.int64) * n_items
    for first in range(start, stop, N):  # p = x·A·Aᵀ − x at the items of x
        n = first + tl.arange(0, N)
        i = tl.load(items + n, mask=n < stop, other=0)
        weight = tl.load(inverse_norms + i, mask=n < stop, other=1.0)
        p = tl.load(P + i, mask=n < stop, other=0.0).to(tl.float32)
        visible = n < stop
        if DROPOUT:
            visible &= ~is_dropped(n, tl.load(seeds + t), below)
        tl.store(P + i, p - 1.0 / weight, mask=visible)
    tl.debug_barrier()
    squares = tl.zeros((K,), tl.float32)
    for first in range(0, n_items, K):
        i = first + tl.arange(0, K)
        weight = tl.load(inverse_norms + i, mask=i < n_items, other=0.0)
        p = tl.maximum(tl.load(P + i, mask=i < n_items, other=0.0).to(tl.float32) * weight, 0.0)
        p = tl.minimum(p, cap)
        often = 1.0
        if SAMPLED:
            often = tl.load(times + t * n_items + i, mask=i < n_items, other=0).to(tl.float32)
        squares += often * p * p
    square, overlap = tl.sum(squares), 0.0
    for first in range(start, stop, N):
        n = first + tl.arange(0, N)
        i = tl.load(items + n, mask=n < stop, other=0)
        weight = tl.load(inverse_norms + i, mask=n < stop, other=0.0)
        p = tl.load(P + i, mask=n < stop, other=0.0).to(tl.float32) * weight
        overlap += tl.sum(tl.minimum(tl.maximum(p, 0.0), cap))
    norm = tl.sqrt(square)
    safe = tl.maximum(norm, LEAST_NORM)
    length = tl.sqrt(tl.maximum((stop - start).to(tl.float32), 1.0))
    scale = tl.load(table + t * N_SCALARS + SCALE)
    loss = 1.0 + tl.where(norm > 0, 1.0, 0.0) - 2.0 * overlap / (safe * length)
    tl.store(losses + lane, tl.where(stop > start, loss * scale, 0.0))
    alpha = tl.where(stop > start, 2.0 * scale * overlap / (safe * safe * safe * length), 0.0)
    target = norm * norm / tl.maximum(overlap, LEAST_NORM)
    tl.debug_barrier()
    for first in range(0, n_items, K):
        i = first + tl.arange(0, K)
        weight = tl.load(inverse_norms + i, mask=i < n_items, other=0.0)
        p = tl.maximum(tl.load(P + i, mask=i < n_items, other=0.0).to(tl.float32) * weight, 0.0)
        p = tl.where(p < cap, p, 0.0)
        if SAMPLED:
            p *= tl.load(times + t * n_items + i, mask=i < n_items, other=0).to(tl.float32)
        tl.store(P + i, alpha * p * weight, mask=i < n_items)
    tl.debug_barrier()
    for first in range(start, stop, N):
        n = first + tl.arange(0, N)
        i = tl.load(items + n, mask=n < stop, other=0)
        weight = tl.load(inverse_norms + i, mask=n < stop, other=0.0)
        g = tl.load(P + i, mask=n < stop, other=0.0).to(tl.float32)
        tl.store(P + i, tl.where(g > 0, g - alpha * target * weight, 0.0), mask=n < stop)


@triton.jit
def with_encoder(g, i, t, c, inside, seeds, seen_starts, seen_lanes, interactions, D, below,
                 n_items, width, DROPOUT: tl.constexpr):  # fmt: skip
    """g and the rows of D of who has seen item i, at columns c: the encoder's part of a gradient.

    Who that is: `seen_lanes` from seen_starts[t·items + i] on.
    """
    begin, end = tl.load(seen_starts + t * n_items + i), tl.load(seen_starts + t * n_items + i + 1)
    for n in range(begin, end):
        visible = inside
        if DROPOUT:
            visible &= ~is_dropped(tl.load(interactions + n), tl.load(seeds + t), below)
        lane = tl.load(seen_lanes + n).to(tl.int64)
        g += tl.load(D + lane * width + c, mask=visible, other=0.0).to(tl.float32)
    return g


@triton.jit
def add_encoder(step, seeds, seen_starts, seen_lanes, interactions, D, G, inverse_norms, below,
                n_items, width, DROPOUT: tl.constexpr, K: tl.constexpr):  # fmt: skip
    """The encoder's part of row i's gradient in a part of a batch, added to G, K columns of it."""
    i, t = tl.program_id(0), tl.load(step)
    c = tl.program_id(1) * K + tl.arange(0, K)
    inside, inverse = c < width, tl.load(inverse_norms + i)
    at = G + i.to(tl.int64) * width + c
    g = tl.load(at, mask=inside, other=0.0) / inverse
    g = with_encoder(g, i, t, c, inside, seeds, seen_starts, seen_lanes, interactions, D, below,
                     n_items, width, DROPOUT)  # fmt: skip
    tl.store(at, g * inverse, mask=inside)


@triton.jit
def update_dense(step, table, seeds, seen_starts, seen_lanes, interactions, D, G, A, m, v, mask,
                 mean, inverse_norms, rounded, below, n_items, width, DROPOUT: tl.constexpr,
                 SUMMED: tl.constexpr, MASKED: tl.constexpr, MEAN: tl.constexpr,
                 ROUNDED: tl.constexpr, POSITIVE: tl.constexpr, THROUGH: tl.constexpr,
                 K: tl.constexpr):  # fmt: skip
    """One row: the encoder's part of its gradient added to the decoder's (G·‖a‖), and a step.

    K columns at a time, twice: the gradient, left in G, and its part along the row; then the step.
    SUMMED: the encoder's part is in G already, of all parts of the batch. MASKED: what is scored is
    a at `mask`; elsewhere the gradient is 0, or with THROUGH what it would be there.
    """
    i, t = tl.program_id(0), tl.load(step)
    row = i.to(tl.int64) * width
    inverse = tl.load(inverse_norms + i)
    along = tl.zeros((K,), tl.float32)
    for first in range(0, width, K):
        c = first + tl.arange(0, K)
        inside, at = c < width, row + c
        g = tl.load(G + at, mask=inside, other=0.0).to(tl.float32) / inverse
        if not SUMMED:
            g = with_encoder(g, i, t, c, inside, seeds, seen_starts, seen_lanes, interactions, D,
                             below, n_items, width, DROPOUT)  # fmt: skip
        scored = tl.load(A + at, mask=inside, other=0.0)
        if MASKED:
            kept = tl.load(mask + at, mask=inside, other=0) != 0
            scored = tl.where(kept, scored, 0.0)
            if not THROUGH:
                g = tl.where(kept, g, 0.0)
        along += scored * g
        tl.store(G + at, g, mask=inside)
    tl.debug_barrier()  # G is read by other threads than have written it
    part = tl.sum(along) * inverse * inverse
    squares = tl.zeros((K,), tl.float32)
    for first in range(0, width, K):
        c = first + tl.arange(0, K)
        inside, at = c < width, row + c
        a = tl.load(A + at, mask=inside, other=0.0)
        g = tl.load(G + at, mask=inside, other=0.0)
        scored = a
        if MASKED:
            scored = tl.where(tl.load(mask + at, mask=inside, other=0) != 0, a, 0.0)
        g = (g - scored * part) * inverse
        m_old = tl.load(m + at, mask=inside, other=0.0)
        v_old = tl.load(v + at, mask=inside, other=0.0)
        a, m_new, v_new = nadam(a, g, m_old, v_old, table + t * N_SCALARS)
        if POSITIVE:
            a = tl.maximum(a, 0.0)
        a = tl.where(inside, a, 0.0)
        squares += a * a
        tl.store(A + at, a, mask=inside)
        tl.store(m + at, m_new, mask=inside)
        tl.store(v + at, v_new, mask=inside)
        if MEAN:
            rate = tl.load(table + t * N_SCALARS + RATE_OF_MEAN)
            before = tl.load(mean + at, mask=inside, other=0.0)
            tl.store(mean + at, before + rate * (a - before), mask=inside)
        if ROUNDED:
            tl.store(rounded + at, a.to(tl.bfloat16), mask=inside)
    tl.store(inverse_norms + i, 1.0 / tl.maximum(tl.sqrt(tl.sum(squares)), LEAST_NORM))
