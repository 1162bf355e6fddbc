"""Compiled loops over who has seen what with what; nothing is ever items × items."""

import numpy as np
from numba import njit, prange

from celsa_lib.kernels.simd import PARALLEL


@njit(**PARALLEL)
def count_row_lengths(user_starts, items, item_starts, users):
    """How many items each item has been seen with, itself included."""
    n_items = len(item_starts) - 1
    lengths = np.zeros(n_items + 1, np.int64)
    for i in prange(n_items):
        met = np.zeros(n_items, np.bool_)
        for s in range(item_starts[i], item_starts[i + 1]):
            for k in range(user_starts[users[s]], user_starts[users[s] + 1]):
                met[items[k]] = True
        lengths[i + 1] = met.sum()
    return lengths


@njit(**PARALLEL)
def count_together(user_starts, items, item_starts, users, starts):
    """(cols, counts): users who have seen both, rows ascending from starts[i] on."""
    n_items = len(item_starts) - 1
    cols = np.empty(starts[-1], np.int32)
    counts = np.empty(starts[-1], np.float32)
    for i in prange(n_items):
        together = np.zeros(n_items, np.float32)
        for s in range(item_starts[i], item_starts[i + 1]):
            for k in range(user_starts[users[s]], user_starts[users[s] + 1]):
                together[items[k]] += np.float32(1.0)
        place = starts[i]
        for j in range(n_items):
            if together[j] > 0:
                cols[place] = j
                counts[place] = together[j]
                place += 1
    return cols, counts


@njit(**PARALLEL)
def strongest_neighbours(starts, cols, counts, popularity, shrink, n_neighbours):
    """The items of largest shrunk cosine with each item, items × n_neighbours, −1 where none is."""
    n_items = len(starts) - 1
    found = np.full((n_items, n_neighbours), -1, np.int32)
    for i in prange(n_items):
        row = slice(starts[i], starts[i + 1])
        others, strength = cols[row], counts[row].copy()
        for n in range(len(others)):
            j = others[n]
            both = (popularity[i] + shrink) * (popularity[j] + shrink)
            strength[n] = 0.0 if j == i else strength[n] / np.sqrt(both)
        best = np.argsort(-strength, kind="mergesort")[:n_neighbours]
        place = 0
        for n in best:
            if strength[n] > 0:
                found[i, place] = others[n]
                place += 1
    return found


@njit(**PARALLEL)
def gram_blocks(starts, cols, counts, popularity, members, reg):
    """XᵀX + reg·I of each row of `members` (blocks × size items); −1: a row of the identity."""
    n_blocks, size = members.shape
    blocks = np.zeros((n_blocks, size, size), np.float32)
    for b in prange(n_blocks):
        for p in range(size):
            i = members[b, p]
            blocks[b, p, p] = 1.0 if i < 0 else popularity[i] + reg
            if i < 0:
                continue
            row = cols[starts[i] : starts[i + 1]]
            for q in range(p):
                j = members[b, q]
                if j >= 0:
                    place = np.searchsorted(row, j)
                    if place < len(row) and row[place] == j:
                        blocks[b, p, q] = counts[starts[i] + place]
                        blocks[b, q, p] = blocks[b, p, q]
    return blocks
