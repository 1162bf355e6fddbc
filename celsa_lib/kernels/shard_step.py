"""Compiled loops of the k-sparse step for the rows of some items; the rest lies elsewhere.

What passes between the loops is sent to other processes and comes from them. Users' latents are
lists: int32 arrays with the lengths of all users' lists, their columns, and the bits of their
values, one such parcel per process. Columns are counted among those that the receiver's rows have.
"""

import numpy as np
from numba import njit, prange

from celsa_lib.kernels.simd import INLINE, LANES, ONE, PARALLEL, ZERO
from celsa_lib.kernels.sparse_step import (
    add_latents,
    backward,
    decode,
    flatten_capped,
    loss_of_user,
    overlap_with,
    start_scores,
    subtract_target,
)


@njit(**PARALLEL)
def own_histories(offsets, items, positions, visible, first, last, first_output):
    """What histories have of the items first … last − 1: (indptr, items, positions, visible).

    Items ascend within a history. They, and positions among the outputs, are counted from the
    first own one.
    """
    n_users = len(offsets) - 1
    begins, lengths = np.empty(n_users, np.int64), np.zeros(n_users + 1, np.int64)
    for user in prange(n_users):
        history = items[offsets[user] : offsets[user + 1]]
        begin, end = np.searchsorted(history, first), np.searchsorted(history, last)
        begins[user], lengths[user + 1] = offsets[user] + begin, end - begin
    indptr = np.cumsum(lengths)
    own, places = np.empty(indptr[-1], np.int64), np.empty(indptr[-1], np.int64)
    seen = np.empty(indptr[-1], np.bool_)
    for user in prange(n_users):
        shift = begins[user] - indptr[user]
        for n in range(indptr[user], indptr[user + 1]):
            own[n] = items[n + shift] - first
            places[n] = positions[n + shift] - first_output
            seen[n] = visible[n + shift]
    return indptr, own, places, seen


@njit(**PARALLEL)
def most_latents(indptr, items, visible, row_starts):
    """Where each user's list can begin so that none is too long: users + 1."""
    most = np.zeros(len(indptr), np.int64)
    for user in prange(len(indptr) - 1):
        for n in range(indptr[user], indptr[user + 1]):
            if visible[n]:
                most[user + 1] += row_starts[items[n] + 1] - row_starts[items[n]]
    return np.cumsum(most)


@njit(**PARALLEL)
def encode_lists(
    indptr, items, visible, row_starts, cols, values, inputs, begins, columns, latents, slots
):
    """Σ w_i·a_i of each user's visible items as a list from begins[user] on; how long each is.

    slots (threads × width): where a column stands in the list of a thread's user.
    """
    n_users, threads = len(indptr) - 1, len(slots)
    lengths = np.zeros(n_users, np.int64)
    for t in prange(threads):
        slot = slots[t]
        slot[:] = -1
        for user in range(t, n_users, threads):
            begin, end = begins[user], begins[user]
            for n in range(indptr[user], indptr[user + 1]):
                if visible[n]:
                    weight = inputs[items[n]]
                    for k in range(row_starts[items[n]], row_starts[items[n] + 1]):
                        c = cols[k]
                        if slot[c] < begin:  # not this user's yet
                            slot[c], columns[end], latents[end] = end, c, ZERO
                            end += 1
                        latents[slot[c]] += weight * values[k]
            lengths[user] = end - begin
    return lengths


@njit(**PARALLEL)
def lengths_for(begins, lengths, columns, theirs):
    """How much of each user's list a receiver uses; theirs: its number of a column, −1: none."""
    found = np.zeros(len(lengths), np.int32)
    for user in prange(len(lengths)):
        for n in range(begins[user], begins[user] + lengths[user]):
            found[user] += theirs[columns[n]] >= 0
    return found


@njit(**PARALLEL)
def pack_lists(begins, lengths, columns, latents, theirs, their_lengths, parcel, places):
    """Fill a receiver's `parcel`; places: of each of its values among all of the own lists."""
    n_users, n_values = len(lengths), len(places)
    into = np.zeros(n_users + 1, np.int64)
    into[1:] = np.cumsum(their_lengths)
    compact = np.zeros(n_users + 1, np.int64)
    compact[1:] = np.cumsum(lengths)
    parcel[:n_users] = their_lengths
    their_columns, bits = parcel[n_users : n_users + n_values], parcel[n_users + n_values :]
    their_values = bits.view(np.float32)
    for user in prange(n_users):
        place = into[user]
        for n in range(begins[user], begins[user] + lengths[user]):
            if theirs[columns[n]] >= 0:
                their_columns[place] = theirs[columns[n]]
                their_values[place] = latents[n]
                places[place] = compact[user] + n - begins[user]
                place += 1


@njit(**INLINE)
def add_lists(starts, shifts, parcels, values, start, stop, E):
    """E = the sum of the lists of the users start … stop, one lane each.

    starts (parcels × users + 1): of the columns in `parcels`; shifts: from a column to its value.
    """
    E[:] = ZERO
    for q in range(len(starts)):
        for user in range(start, stop):
            for n in range(starts[q, user], starts[q, user + 1]):
                E[np.uint32(parcels[n]), user - start] += values[n + shifts[q]]


@njit(**PARALLEL)
def score_own(
    indptr, items, positions, visible, first, last, outputs, row_starts, cols, values, out_scales,
    in_scales, cap, starts, shifts, parcels, latents, E, P, sums,
):  # fmt: skip
    """Own scores of the users first … last − 1, and Σ p² and Σ_seen p of each: users × 2, `sums`.

    P (groups of LANES users × outputs × LANES): ReLU(s·(P + E·Aᵀ)), at most `cap`.
    """
    A, threads = (row_starts, cols, values), len(E)
    groups = (last - first + LANES - 1) // LANES
    for t in prange(threads):
        squares, partial = np.zeros(LANES), np.zeros((1, LANES), np.float32)
        for g in range(t, groups, threads):
            start = first + g * LANES
            stop = min(start + LANES, last)
            p = P[g, : len(outputs)]
            start_scores(indptr, items, positions, visible, start, stop, in_scales, p)
            add_lists(starts, shifts, parcels, latents, start, stop, E[t])
            decode(outputs, A, out_scales, cap, E[t], p, squares, partial)
            for user in range(start, stop):
                seen = positions[indptr[user] : indptr[user + 1]]
                sums[user, 0] = squares[user - start]
                sums[user, 1] = overlap_with(seen, p, user - start)


@njit(**PARALLEL)
def backward_users(
    indptr, items, positions, visible, first, last, n_outputs, cap, scale, sums, lengths,
    starts, shifts, parcels, latents, by_column, places, ordered, E, D, P, C, own, back, losses,
):  # fmt: skip
    """Back to the latents of the users first … last − 1, whose scores `score_own` has left in P.

    sums, lengths: over all items. C (threads × values, by column) and own (threads × items) gather
    the gradient of the rows; back: that of each value of `parcels`, in their order.
    """
    threads = len(E)
    groups = (last - first + LANES - 1) // LANES
    for t in prange(threads):
        e, d, alpha = E[t], D[t], np.zeros((1, LANES), np.float32)
        d[:] = ZERO
        for g in range(t, groups, threads):
            start = first + g * LANES
            stop = min(start + LANES, last)
            p = P[g, :n_outputs]
            alpha[:] = ZERO
            for user in range(start, stop):
                seen, lane = positions[indptr[user] : indptr[user + 1]], user - start
                square, overlap, length = sums[user, 0], sums[user, 1], lengths[user]
                losses[user] = loss_of_user(square, overlap, length)
                alpha[0, lane] = subtract_target(seen, square, overlap, length, cap, scale, p, lane)
            if cap < np.inf:
                flatten_capped(p, cap)
            add_lists(starts, shifts, parcels, latents, start, stop, e)
            backward(by_column, places, ordered, alpha, e, p, d, C[t])
            for user in range(start, stop):
                weight = alpha[0, user - start]
                for n in range(indptr[user], indptr[user + 1]):
                    if visible[n]:
                        own[t, items[n]] += weight * p[positions[n], user - start]
            read_lists(starts, parcels, start, stop, alpha, d, back)


@njit(**INLINE)
def read_lists(starts, parcels, start, stop, alpha, D, back):
    """back = α·D at the columns of the lists of the users start … stop."""
    before = 0
    for q in range(len(starts)):
        shift = before - starts[q, 0]
        for user in range(start, stop):
            weight = alpha[0, user - start]
            for n in range(starts[q, user], starts[q, user + 1]):
                back[n + shift] = weight * D[np.uint32(parcels[n]), user - start]
        before += starts[q, -1] - starts[q, 0]


@njit(**PARALLEL)
def add_at(D, places, part):
    """D[places] += part; no place is there twice."""
    for n in prange(len(places)):
        D[places[n]] += part[n]


@njit(**PARALLEL)
def backward_lists(indptr, items, visible, row_starts, cols, begins, lengths, columns, D, G, R):
    """Through the encoder: G (threads × values) = what D, of the own lists, comes to in the rows.

    R (threads × width): the latents of a thread's user.
    """
    n_users, threads = len(lengths), len(G)
    compact = np.zeros(n_users + 1, np.int64)
    compact[1:] = np.cumsum(lengths)
    for t in prange(threads):
        g, r = G[t], R[t]
        g[:] = ZERO
        for user in range(t, n_users, threads):
            shift = compact[user] - begins[user]
            for n in range(begins[user], begins[user] + lengths[user]):
                r[columns[n]] = D[n + shift]
            seen = indptr[user], indptr[user + 1]
            add_latents(seen, items, visible, ONE, r, row_starts, cols, g)
