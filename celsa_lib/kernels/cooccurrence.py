"""Compiled loops over who has seen what with what; nothing is ever items × items.

An item's counts, with every other item, are made when they are asked for, in an array of one number
per item that each thread has for itself: what is seen together with nothing costs nothing.
"""

import numpy as np
from numba import njit, prange

from celsa_lib.kernels.compiled import compiled
from celsa_lib.kernels.simd import INLINE, ONE, PARALLEL, ZERO


@njit(**INLINE)
def count_row(i, user_starts, items, item_starts, users, together, met):
    """Add to `together` who has seen i with each item; those items go into `met`: how many.

    `together` holds zeros before.
    """
    n_met = 0
    for s in range(item_starts[i], item_starts[i + 1]):
        for k in range(user_starts[users[s]], user_starts[users[s] + 1]):
            j = items[k]
            if together[j] == ZERO:
                met[n_met] = j
                n_met += 1
            together[j] += ONE
    return n_met


@njit(**INLINE)
def hold_strong(found, strengths, held, j, strength):
    """Put item j in its place among the strongest so far, of equal ones by index: how many.

    found, strengths: the first `held` are those so far.
    """
    place = held
    if held == len(found):
        place = held - 1
        weakest = strengths[place]
        if strength < weakest or (strength == weakest and j > found[place]):
            return held
    else:
        held += 1
    while place > 0:
        before = strengths[place - 1]
        if before > strength or (before == strength and found[place - 1] < j):
            break
        strengths[place], found[place] = before, found[place - 1]
        place -= 1
    strengths[place], found[place] = strength, j
    return held


@compiled(**PARALLEL)
def strongest_neighbours(
    user_starts, items, item_starts, users, popularity, shrink, asked, n_neighbours, threads
):
    """The items of largest shrunk cosine with each of `asked`: asked × n_neighbours, −1 if none."""
    n_items = len(item_starts) - 1
    found = np.full((len(asked), n_neighbours), -1, np.int32)
    for t in prange(threads):
        together, met = np.zeros(n_items, np.float32), np.empty(n_items, np.int32)
        strengths = np.empty(n_neighbours, np.float32)
        for a in range(t, len(asked), threads):
            i, held = asked[a], 0
            for m in range(count_row(i, user_starts, items, item_starts, users, together, met)):
                j = met[m]
                count, together[j] = together[j], ZERO
                if j != i:
                    both = (popularity[i] + shrink) * (popularity[j] + shrink)
                    held = hold_strong(found[a], strengths, held, j, count / np.sqrt(both))
    return found


@compiled(**PARALLEL)
def gram_blocks(
    user_starts, items, item_starts, users, popularity, members, order, begins, reg, threads
):
    """XᵀX + reg·I of each row of `members` (blocks × size items); −1: a row of the identity.

    order: places in `members`, flat, by item, those of −1 left out; begins: where each item begins
    there, and the last one ends. An item is counted once, whatever the number of its blocks.
    """
    (n_blocks, size), n_items = members.shape, len(item_starts) - 1
    blocks = np.zeros((n_blocks, size, size), np.float32)
    for t in prange(threads):
        together, met = np.zeros(n_items, np.float32), np.empty(n_items, np.int32)
        for d in range(t, len(begins) - 1, threads):
            j = members[order[begins[d]] // size, order[begins[d]] % size]
            n_met = count_row(j, user_starts, items, item_starts, users, together, met)
            for o in range(begins[d], begins[d + 1]):
                b, p = order[o] // size, order[o] % size
                for q in range(p):
                    if members[b, q] >= 0:
                        blocks[b, p, q] = together[members[b, q]]
            for m in range(n_met):
                together[met[m]] = ZERO
    for b in prange(n_blocks):
        for p in range(size):
            i = members[b, p]
            blocks[b, p, p] = ONE if i < 0 else popularity[i] + reg
            for q in range(p):
                blocks[b, q, p] = blocks[b, p, q]
    return blocks


@compiled(**PARALLEL)
def ranks_in_rows(starts, sizes):
    """The place of each of `sizes` among those of its row, the largest first, of equal ones by
    order; rows start at starts[i].
    """
    ranks = np.empty(len(sizes), np.int32)
    for i in prange(len(starts) - 1):
        row = slice(starts[i], starts[i + 1])
        ranks[row][np.argsort(-sizes[row], kind="mergesort")] = np.arange(
            starts[i + 1] - starts[i], dtype=np.int32
        )
    return ranks
