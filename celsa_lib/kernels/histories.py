"""Compiled loops that make histories of interactions in any order; arrays may be on disk."""

import numpy as np

from celsa_lib.kernels.compiled import compiled
from celsa_lib.kernels.simd import CACHED


@compiled(**CACHED)
def place_items(users, items, following, indices):
    """indices[following[u]] = i for each interaction; following[u] moves on."""
    for n in range(len(users)):
        indices[following[users[n]]] = items[n]
        following[users[n]] += 1


@compiled(**CACHED)
def sort_histories(indptr, indices):
    """Items of each user ascending and each once, from where they begin; how many there are."""
    lengths = np.zeros(len(indptr) - 1, np.int64)
    for user in range(len(lengths)):
        history = np.sort(indices[indptr[user] : indptr[user + 1]])
        place = indptr[user]
        for n in range(len(history)):
            if n == 0 or history[n] != history[n - 1]:
                indices[place] = history[n]
                place += 1
        lengths[user] = place - indptr[user]
    return lengths


@compiled(**CACHED)
def sort_timed(indptr, indices, times):
    """As `sort_histories`, with the time of each interaction; of one that is there more than once
    the earliest.
    """
    lengths = np.zeros(len(indptr) - 1, np.int64)
    for user in range(len(lengths)):
        first, last = indptr[user], indptr[user + 1]
        by_time = np.argsort(times[first:last], kind="mergesort")  # which keeps the order of equals
        history, when = indices[first:last][by_time], times[first:last][by_time]
        by_item = np.argsort(history, kind="mergesort")
        place = first
        for n in range(len(by_item)):
            item = history[by_item[n]]
            if n == 0 or item != history[by_item[n - 1]]:
                indices[place], times[place] = item, when[by_item[n]]
                place += 1
        lengths[user] = place - first
    return lengths


@compiled(**CACHED)
def copy_times(indptr, lengths, kept, times, into):
    """The times of `kept` users' interactions one after the other."""
    place = 0
    for user in range(len(lengths)):
        if kept[user]:
            into[place : place + lengths[user]] = times[indptr[user] : indptr[user] + lengths[user]]
            place += lengths[user]


@compiled(**CACHED)
def items_seen(indptr, lengths, kept, indices, n_items):
    """Whether a user of `kept` (users, bool) has each item."""
    seen = np.zeros(n_items, np.bool_)
    for user in range(len(lengths)):
        if kept[user]:
            for n in range(indptr[user], indptr[user] + lengths[user]):
                seen[indices[n]] = True
    return seen


@compiled(**CACHED)
def copy_histories(indptr, lengths, kept, indices, columns, into):
    """The histories of `kept` users one after the other, with items called by `columns`."""
    place = 0
    for user in range(len(lengths)):
        if kept[user]:
            for n in range(indptr[user], indptr[user] + lengths[user]):
                into[place] = columns[indices[n]]
                place += 1
