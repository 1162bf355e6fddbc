"""Triton kernels of training on a GPU: the k-sparse step, and what fuses around dense products.

Latents E and scores P are kept as rows of `lanes` users (a batch, filled up), so that a nonzero of
A reads neighbouring users at once. Rows of A lie one after the other: those of item i from
row_starts[i] to row_starts[i + 1]. A batch is step `t` of an epoch: its users stand in `order` from
t·lanes on, −1 where it is filled up. Every sum has one order, or is of integers: a training gives
the same bits each time. Without a GPU the kernels run in Triton's interpreter.
"""

import triton
import triton.language as tl

from celsa_lib.kernels.rows import TINY

# One row of `table` per step of an epoch, float32: see training.gpu.
N_SCALARS = tl.constexpr(6)
SCALE, BIAS2, OF_GRADIENT, OF_MOMENTUM, RATE_OF_MEAN, EPSILON = map(tl.constexpr, range(6))
FIXED_POINT = tl.constexpr(2.0**32)  # of E while it is summed
LEAST_NORM = tl.constexpr(TINY)


@triton.jit
def is_dropped(interaction, seed, below):
    """Whether an interaction is dropped in this step: `training.dropout.dropped`, the same bits."""
    x = interaction.to(tl.uint32) ^ seed
    x = (x ^ (x >> 16)) * 0x85EBCA6B
    x = (x ^ (x >> 13)) * 0xC2B2AE35
    return ((x ^ (x >> 16)) >> 8) < below


@triton.jit
def history(step, order, indptr, lane, lanes):
    """(start, stop) of the interactions of the user in `lane`; none where the batch is filled."""
    user = tl.load(order + tl.load(step) * lanes + lane)
    there = user >= 0
    start = tl.load(indptr + user, mask=there, other=0)
    return start, tl.load(indptr + user + 1, mask=there, other=0)


@triton.jit
def encode(step, order, indptr, items, seeds, row_starts, cols, unit, inputs, E, below, lanes,
           DROPOUT: tl.constexpr, N: tl.constexpr, K: tl.constexpr):  # fmt: skip
    """E[:, lane] += FIXED_POINT·Σ w_i·a_i over the items seen by the user and not dropped.

    In 64-bit integers: threads add in any order, and only of integers is the sum the same in all.
    """
    lane = tl.program_id(0)
    start, stop = history(step, order, indptr, lane, lanes)
    for first in range(start, stop, N):
        n = first + tl.arange(0, N)
        seen = n < stop
        if DROPOUT:
            seen &= ~is_dropped(n, tl.load(seeds + tl.load(step)), below)
        i = tl.load(items + n, mask=seen, other=0)
        begin = tl.load(row_starts + i, mask=seen, other=0)
        end = tl.load(row_starts + i + 1, mask=seen, other=0)
        w = tl.load(inputs + i, mask=seen, other=0.0)
        for shift in range(0, tl.max(end - begin, 0), K):
            k = begin[:, None] + shift + tl.arange(0, K)[None, :]
            inside = k < end[:, None]
            c = tl.load(cols + k, mask=inside, other=0).to(tl.int64)
            a = tl.load(unit + k, mask=inside, other=0.0)
            share = (w[:, None] * a * FIXED_POINT).to(tl.int64)
            tl.atomic_add(E + c * lanes + lane, share, mask=inside)


@triton.jit
def decode(step, times, row_starts, cols, unit, outputs, E, P, squares, cap, n_items, lanes,
           SAMPLED: tl.constexpr, ITEMS: tl.constexpr, K: tl.constexpr,
           U: tl.constexpr):  # fmt: skip
    """P[i] = ReLU(s_i·a_i·E) for ITEMS items and U users, and each user's Σ min(p, cap)² of these.

    P itself is not capped here: what a user has seen loses its own part first. SAMPLED: an item
    counts times[t·items + i] times, and is not scored where that is 0.
    """
    u = tl.program_id(1) * U + tl.arange(0, U)
    total = tl.zeros((U,), tl.float32)
    first = tl.program_id(0) * ITEMS
    for i in range(first, min(first + ITEMS, n_items)):
        start, stop = tl.load(row_starts + i), tl.load(row_starts + i + 1)
        often = 1.0
        if SAMPLED:
            often = tl.load(times + tl.load(step) * n_items + i).to(tl.float32)
            stop = tl.where(often > 0, stop, start)
        p = tl.zeros((U,), tl.float32)
        for j in range(start, stop, K):
            k = j + tl.arange(0, K)
            c = tl.load(cols + k, mask=k < stop, other=0).to(tl.int64)
            a = tl.load(unit + k, mask=k < stop, other=0.0)
            e = tl.load(E + c[:, None] * lanes + u[None, :], mask=(k < stop)[:, None], other=0.0)
            p += tl.sum(a[:, None] * e, 0)
        p = tl.maximum(p * tl.load(outputs + i), 0.0)
        capped = tl.minimum(p, cap)
        total += often * capped * capped
        tl.store(P + tl.cast(i, tl.int64) * lanes + u, p)
    tl.store(squares + tl.program_id(0) * lanes + u, total)


@triton.jit
def score_users(step, order, indptr, items, seeds, table, inputs, outputs, squares, P, alpha,
                losses, cap, below, lanes, DROPOUT: tl.constexpr, N: tl.constexpr):  # fmt: skip
    """Each user's loss; P becomes what its gradient is `alpha` times of, at what the user has seen.

    With o = Σ_seen p: loss 2 − 2·o/(‖p‖‖x‖), gradient 2·o/(‖p‖³‖x‖)·(p − x·‖p‖²/o). The own part
    s_i·w_i of a visible item is taken off here, as the decoder knows nothing of x.
    """
    lane, t = tl.program_id(0), tl.load(step)
    start, stop = history(step, order, indptr, lane, lanes)
    square, overlap = tl.load(squares + lane), 0.0
    for first in range(start, stop, N):
        n = first + tl.arange(0, N)
        seen = n < stop
        i = tl.load(items + n, mask=seen, other=0).to(tl.int64)
        own = tl.load(inputs + i, mask=seen, other=0.0) * tl.load(outputs + i, mask=seen, other=0.0)
        if DROPOUT:
            own = tl.where(is_dropped(n, tl.load(seeds + t), below), 0.0, own)
        with_own = tl.load(P + i * lanes + lane, mask=seen, other=0.0)
        p = tl.minimum(tl.maximum(with_own - own, 0.0), cap)
        tl.store(P + i * lanes + lane, p, mask=seen)
        before = tl.minimum(with_own, cap)
        square += tl.sum(p * p - before * before)
        overlap += tl.sum(p)
    norm = tl.sqrt(tl.maximum(square, 0.0))
    safe = tl.maximum(norm, LEAST_NORM)
    length = tl.sqrt(tl.maximum((stop - start).to(tl.float32), 1.0))
    scale = tl.load(table + t * N_SCALARS + SCALE)
    there = stop > start
    loss = 1.0 + tl.where(norm > 0, 1.0, 0.0) - 2.0 * overlap / (safe * length)
    tl.store(losses + lane, tl.where(there, loss * scale, 0.0))
    tl.store(
        alpha + lane, tl.where(there, 2.0 * scale * overlap / (safe * safe * safe * length), 0)
    )
    target = norm * norm / tl.maximum(overlap, LEAST_NORM)
    for first in range(start, stop, N):
        n = first + tl.arange(0, N)
        i = tl.load(items + n, mask=n < stop, other=0).to(tl.int64)
        p = tl.load(P + i * lanes + lane, mask=n < stop, other=0.0)
        free = (p > 0) & (p < cap)
        tl.store(P + i * lanes + lane, tl.where(free, p - target, 0.0), mask=n < stop)


@triton.jit
def decode_backward(step, times, col_starts, places, positions, unit, outputs, alpha, E, P, D, C,
                    cap, n_values, n_items, lanes, SAMPLED: tl.constexpr, K: tl.constexpr,
                    U: tl.constexpr):  # fmt: skip
    """Through the decoder, latent by latent.

    D[c] = Σ_i s_i·a_ic·P[i] and C[k] = Σ_u α_u·P[i, u]·E[c, u], P being 0 from `cap` on.

    Nonzeros of latent c: col_starts[c] … of `places`, their items, and `positions`, their places
    among the rows. A share of C for each block of U users.
    """
    c, block = tl.program_id(0), tl.program_id(1)
    u = block * U + tl.arange(0, U)
    e = tl.load(E + c.to(tl.int64) * lanes + u) * tl.load(alpha + u)
    d = tl.zeros((U,), tl.float32)
    start, stop = tl.load(col_starts + c), tl.load(col_starts + c + 1)
    for j in range(start, stop, K):
        k = j + tl.arange(0, K)
        i = tl.load(places + k, mask=k < stop, other=0).to(tl.int64)
        at = tl.load(positions + k, mask=k < stop, other=0)
        a = tl.load(unit + at, mask=k < stop, other=0.0)
        a *= tl.load(outputs + i, mask=k < stop, other=0.0)
        p = tl.load(P + i[:, None] * lanes + u[None, :], mask=(k < stop)[:, None], other=0.0)
        p = tl.where(p < cap, p, 0.0)
        if SAMPLED:
            often = tl.load(times + tl.load(step) * n_items + i, mask=k < stop, other=0)
            p *= often.to(tl.float32)[:, None]
        d += tl.sum(a[:, None] * p, 0)
        share = C + block.to(tl.int64) * n_values
        tl.store(share + at, tl.sum(p * e[None, :], 1), mask=k < stop)
    tl.store(D + c.to(tl.int64) * lanes + u, d)


@triton.jit
def nadam(a, g, m, v, scalars):
    """(a, m, v) after a step of NAdam; see training.nadam for the scalars."""
    m += (g - m) * (1.0 - 0.9)
    v = 0.999 * v + (1.0 - 0.999) * g * g
    root = tl.sqrt_rn(v / tl.load(scalars + BIAS2)) + tl.load(scalars + EPSILON)
    push = tl.load(scalars + OF_GRADIENT) * g + tl.load(scalars + OF_MOMENTUM) * m
    return a - push / root, m, v


@triton.jit
def through_unit(a, gradient):
    """The gradient of a row from that of its unit row."""
    norm = tl.maximum(tl.sqrt(tl.sum(a * a)), LEAST_NORM)
    return (gradient - a * (tl.sum(a * gradient) / (norm * norm))) / norm


@triton.jit
def gradient_of_row(i, t, k, inside, cols, seen_starts, seen_lanes, alpha, C, D, n_values, n_items,
                    n_blocks, lanes, seeds, interactions, P, below, DROPOUT: tl.constexpr,
                    SCALES: tl.constexpr, N: tl.constexpr, K: tl.constexpr):  # fmt: skip
    """(through the decoder, the encoder, its own part): what row i, nonzeros k, gets of a batch.

    Who of the batch has seen item i: `seen_lanes` from seen_starts[t·items + i] on.
    """
    c = tl.load(cols + k, mask=inside, other=0).to(tl.int64)
    of_output = tl.zeros((K,), tl.float32)
    for block in range(n_blocks):
        share = C + tl.cast(block, tl.int64) * n_values
        of_output += tl.load(share + k, mask=inside, other=0.0)
    of_input, own = tl.zeros((K,), tl.float32), tl.full((), 0.0, tl.float32)
    first = tl.load(seen_starts + t * n_items + i)
    last = tl.load(seen_starts + t * n_items + i + 1)
    for begin in range(first, last, N):
        n = begin + tl.arange(0, N)
        seen = n < last
        if DROPOUT:
            interaction = tl.load(interactions + n, mask=seen, other=0)
            seen &= ~is_dropped(interaction, tl.load(seeds + t), below)
        lane = tl.load(seen_lanes + n, mask=seen, other=0)
        weight = tl.load(alpha + lane, mask=seen, other=0.0)
        both = seen[:, None] & inside[None, :]
        d = tl.load(D + c[None, :] * lanes + lane[:, None], mask=both, other=0.0)
        of_input += tl.sum(weight[:, None] * d, 0)
        if SCALES:
            p = tl.load(P + i.to(tl.int64) * lanes + lane, mask=seen, other=0.0)
            own += tl.sum(weight * p)
    return of_output, of_input, own


@triton.jit
def add_gradients(step, row_starts, cols, seen_starts, seen_lanes, alpha, C, D, n_values, n_items,
                  n_blocks, lanes, seeds, interactions, P, below, sums, owns, DROPOUT: tl.constexpr,
                  SCALES: tl.constexpr, N: tl.constexpr, K: tl.constexpr):  # fmt: skip
    """`gradient_of_row` of a part of a batch, added to `sums` (2 × nonzeros) and `owns` (items)."""
    i, t = tl.program_id(0), tl.load(step)
    k = tl.load(row_starts + i) + tl.arange(0, K)
    inside = k < tl.load(row_starts + i + 1)
    of_output, of_input, own = gradient_of_row(
        i, t, k, inside, cols, seen_starts, seen_lanes, alpha, C, D, n_values, n_items, n_blocks,
        lanes, seeds, interactions, P, below, DROPOUT, SCALES, N, K,
    )  # fmt: skip
    tl.store(sums + k, tl.load(sums + k, mask=inside, other=0.0) + of_output, mask=inside)
    k += n_values
    tl.store(sums + k, tl.load(sums + k, mask=inside, other=0.0) + of_input, mask=inside)
    tl.store(owns + i, tl.load(owns + i) + own)


@triton.jit
def update_sparse(step, row_starts, cols, seen_starts, seen_lanes, alpha, C, D, n_values, n_items,
                  n_blocks, lanes, seeds, interactions, P, below, sums, owns, table, values, m, v,
                  unit, mean, inputs, outputs, scales, SUMMED: tl.constexpr, MEAN: tl.constexpr,
                  POSITIVE: tl.constexpr, DROPOUT: tl.constexpr, SCALES: tl.constexpr,
                  N: tl.constexpr, K: tl.constexpr):  # fmt: skip
    """One row: its gradient (SUMMED: as `add_gradients` has left it), a step, its unit row.

    scales: log s, log w and their m and v, 6 × items.
    """
    i, t = tl.program_id(0), tl.load(step)
    k = tl.load(row_starts + i) + tl.arange(0, K)
    inside = k < tl.load(row_starts + i + 1)
    scalars = table + t * N_SCALARS
    if SUMMED:
        of_output = tl.load(sums + k, mask=inside, other=0.0)
        of_input = tl.load(sums + n_values + k, mask=inside, other=0.0)
        own = tl.load(owns + i)
    else:
        of_output, of_input, own = gradient_of_row(
            i, t, k, inside, cols, seen_starts, seen_lanes, alpha, C, D, n_values, n_items,
            n_blocks, lanes, seeds, interactions, P, below, DROPOUT, SCALES, N, K,
        )  # fmt: skip
    s, w = tl.load(outputs + i), tl.load(inputs + i)
    a, u = tl.load(values + k, mask=inside, other=0.0), tl.load(unit + k, mask=inside, other=0.0)
    g = through_unit(a, s * of_output + w * of_input)
    m_old = tl.load(m + k, mask=inside, other=0.0)
    v_old = tl.load(v + k, mask=inside, other=0.0)
    a, m_new, v_new = nadam(a, g, m_old, v_old, scalars)
    if POSITIVE:
        a = tl.maximum(a, 0.0)
    if SCALES:
        for which in tl.static_range(2):
            at = scales + which * n_items + i
            if which == 0:
                slope = s * (tl.sum(u * of_output) - w * own)
            else:
                slope = w * (tl.sum(u * of_input) - s * own)
            x, mx, vx = nadam(tl.load(at), slope, tl.load(at + 2 * n_items),
                              tl.load(at + 4 * n_items), scalars)  # fmt: skip
            tl.store(at, x)
            tl.store(at + 2 * n_items, mx)
            tl.store(at + 4 * n_items, vx)
            if which == 0:
                tl.store(outputs + i, tl.exp(x))
            else:
                tl.store(inputs + i, tl.exp(x))
    a = tl.where(inside, a, 0.0)
    new_unit = a / tl.maximum(tl.sqrt(tl.sum(a * a)), LEAST_NORM)
    tl.store(values + k, a, mask=inside)
    tl.store(m + k, m_new, mask=inside)
    tl.store(v + k, v_new, mask=inside)
    tl.store(unit + k, new_unit, mask=inside)
    if MEAN:
        rate = tl.load(scalars + RATE_OF_MEAN)
        before = tl.load(mean + k, mask=inside, other=0.0)
        tl.store(mean + k, before + rate * (a - before), mask=inside)
