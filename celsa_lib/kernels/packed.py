"""Compiled loops over packed rows: values of a few bits, and indices, read where they lie.

Bits fill uint64 words, the lowest first; a word to spare lets two be read at once. A row is

    its head (length, scale, own value, input scale) · the codes of its values · their indices

Indices ascend, and are nothing at all where every row is full, a fixed number of bits each, or the
gaps between them by Rice's code: a quotient in unary, ended by a zero, and a remainder in bits.
"""

from typing import NamedTuple

import numpy as np
from numba import get_num_threads, njit, prange

from celsa_lib.kernels.bits import WINDOW_BITS, bits_from, lowest, read, trailing_zeros
from celsa_lib.kernels.rows import TINY
from celsa_lib.kernels.simd import (
    CACHED,
    INLINE,
    LANES,
    PARALLEL,
    ZERO,
    add_row,
    aligned,
    splat,
    store,
)

FULL, FIXED, RICE = range(3)  # how indices are written
HALF = np.float32(0.5)
ROWS_OF_A_PART = 32_768  # at least, for one of several threads
FEW = 3  # users: fewer are faster one at a time than as LANES of them


class PackedLayout(NamedTuple):
    """Packed rows, the words of which may be a file mapped into memory, and how to read them.

    A value is (code − middle + ½) times its row's scale; codes of scales are places in a table.
    """

    words: np.ndarray  # uint64
    starts: np.ndarray  # int64, rows + 1: first bit of each row, found when the file is opened
    head_bits: np.ndarray  # of the length, the scale, the own value, the input scale
    shortest: int  # what is added to a length in a head
    bits: int  # of a value
    middle: int
    coding: int
    index_bits: int
    remainders: np.ndarray  # bits of a gap's remainder by the length of the row
    scales: np.ndarray  # tables, float32
    owns: np.ndarray  # of values at the row's own number, apart from the others; empty: none is
    inputs: np.ndarray  # empty: no input scales


@njit(**INLINE)
def _read_head(layout, i, part):
    """A part of the head of row i, by its number."""
    at = layout.starts[i]
    for before in range(part):
        at += layout.head_bits[before]
    return read(layout.words, at, layout.head_bits[part])


@njit(**INLINE)
def _next_index(layout, at, stop, before, remainder):
    """(index that follows `before`, where it ends); no quotient is read beyond bit `stop`."""
    if layout.coding == FULL:
        return before + 1, at
    if layout.coding == FIXED:
        return read(layout.words, at, layout.index_bits), at + layout.index_bits
    bits = bits_from(layout.words, at)
    quotient = trailing_zeros(~bits)
    size = quotient + 1 + remainder
    if size <= WINDOW_BITS:
        gap = (quotient << remainder) | lowest(bits >> np.uint64(quotient + 1), remainder)
        return before + 1 + gap, at + size
    return _next_far(layout.words, at, stop, before, remainder)


@njit
def _next_far(words, at, stop, before, remainder):
    """`_next_index` by Rice's code, of a gap too long for one window."""
    quotient = 0
    while at < stop and read(words, at, 1):
        quotient += 1
        at += 1
    gap = (quotient << remainder) | read(words, min(at + 1, stop), remainder)
    return before + 1 + gap, at + 1 + remainder


@njit(cache=True)
def find_rows(layout, width):
    """Fill `layout.starts`; whether all rows lie in the words, with indices that ascend < width."""
    at, stop = np.int64(0), 64 * (len(layout.words) - 1) - 1
    head = layout.head_bits.sum()
    for i in range(len(layout.starts) - 1):
        layout.starts[i] = at
        if at + head > stop:
            return False
        for part, table in ((1, layout.scales), (2, layout.owns), (3, layout.inputs)):
            if len(table) and _read_head(layout, i, part) >= len(table):
                return False
        length = layout.shortest + read(layout.words, at, layout.head_bits[0])
        if length >= len(layout.remainders):
            return False
        at += head + length * layout.bits
        column = np.int64(-1)
        for _ in range(length):
            if at > stop:
                return False
            before = column
            column, at = _next_index(layout, at, stop, before, layout.remainders[length])
            if not before < column < width:
                return False
    layout.starts[-1] = at
    return at <= stop


@njit(**INLINE)
def read_row(layout, i, columns, values):
    """Write row i to the front of `columns` and `values`, its own latent last: its length."""
    words, at, stop = layout.words, layout.starts[i], layout.starts[i + 1]
    length = layout.shortest + _read_head(layout, i, 0)
    scale = layout.scales[_read_head(layout, i, 1)]
    at += layout.head_bits.sum()
    for k in range(length):
        values[k] = (np.float32(read(words, at, layout.bits) - layout.middle) + HALF) * scale
        at += layout.bits
    column, remainder = np.int64(-1), layout.remainders[length]
    for k in range(length):
        column, at = _next_index(layout, at, stop, column, remainder)
        columns[k] = column
    if len(layout.owns):
        columns[length], values[length] = i, layout.owns[_read_head(layout, i, 2)]
        length += 1
    return length


@njit(cache=True)
def read_rows(layout, first, indptr, columns, values, inputs):
    """Write rows from `first` on as CSR (indptr, of zeros, rows + 1), and their input scales.

    A row's own latent is its last.
    """
    for i in range(len(indptr) - 1):
        start = indptr[i]
        indptr[i + 1] = start + read_row(layout, first + i, columns[start:], values[start:])
        if len(layout.inputs):
            inputs[i] = layout.inputs[_read_head(layout, first + i, 3)]


@njit(cache=True)
def encode_users(layout, longest, indptr, seen, weights, E, own):
    """Add users' latents to E (users × width); own: what each interaction adds to its own score.

    Without input scales rows encode as they are, and an item adds its weight to itself.
    """
    for user in range(len(indptr) - 1):
        of_user = slice(indptr[user], indptr[user + 1])
        encode_history(layout, longest, seen[of_user], weights[of_user], E[user], own[of_user])


@njit(cache=True)
def encode_history(layout, longest, seen, weights, e, own):
    """`encode_users` for one of them: latents e (width,)."""
    columns, values = np.empty(longest, np.int64), np.empty(longest, np.float32)
    for s in range(len(seen)):
        length, x = read_row(layout, seen[s], columns, values), weights[s]
        own[s] = x
        if len(layout.inputs):
            square = ZERO
            for k in range(length):
                square += values[k] * values[k]
            norm = np.sqrt(square)
            x *= layout.inputs[_read_head(layout, seen[s], 3)]
            own[s] = x * norm
            x /= max(norm, np.float32(TINY))
        for k in range(length):
            e[columns[k]] += x * values[k]


def decode_users(layout: PackedLayout, longest: int, E: np.ndarray) -> np.ndarray:
    """Products of users' latents E (users × width) with all packed rows: users × items."""
    scores = np.empty((len(E), len(layout.starts) - 1), np.float32)
    if len(E) < FEW:
        parts = max(1, min(get_num_threads(), scores.shape[1] // ROWS_OF_A_PART))
        for e, of_user in zip(E, scores, strict=True):
            if parts == 1:
                _decode_between(layout, 0, len(of_user), e, of_user)
            else:
                _decode_in_parts(layout, parts, e, of_user)
    else:
        lanes = aligned((get_num_threads(), E.shape[1], LANES))
        _decode(layout, longest, E, lanes, scores)
    return scores


@njit(**PARALLEL)
def _decode_in_parts(layout, parts, e, scores):
    n_rows = len(scores)
    for part in prange(parts):
        _decode_between(layout, part * n_rows // parts, (part + 1) * n_rows // parts, e, scores)


@njit(**CACHED)
def _decode_between(layout, first, last, e, scores):
    """Products of one user's latents with rows."""
    for i in range(first, last):
        scores[i] = row_product(layout, i, e)


@njit(**INLINE)
def row_product(layout, i, e):
    """Product of row i with latents e (width,); the row is written nowhere in between."""
    words, of_length, of_scale = layout.words, layout.head_bits[0], layout.head_bits[1]
    of_own, size = layout.head_bits[2], layout.head_bits.sum()
    start, stop = layout.starts[i], layout.starts[i + 1]
    length = layout.shortest + read(words, start, of_length)
    scale = layout.scales[read(words, start + of_length, of_scale)]
    product = scale * _levels_times(layout, start + size, stop, length, e)
    if len(layout.owns):
        own = read(words, start + of_length + of_scale, of_own)
        product += layout.owns[own] * e[i]
    return product


@njit(**INLINE)
def _levels_times(layout, codes, stop, length, e):
    """Σ level · e[index] of a row whose values begin at bit `codes`.

    Gaps by Rice's code are taken from one window until it has no whole one any more.
    """
    words, at, column = layout.words, codes + length * layout.bits, np.int64(-1)
    remainder, total = layout.remainders[length], ZERO
    bits, left = np.uint64(0), 0
    for _ in range(length):
        if layout.coding == RICE:
            quotient = trailing_zeros(~bits)
            size = quotient + 1 + remainder
            if size > left:
                bits, left = bits_from(words, at), WINDOW_BITS
                quotient = trailing_zeros(~bits)
                size = quotient + 1 + remainder
            if size <= WINDOW_BITS:
                gap = (quotient << remainder) | lowest(bits >> np.uint64(quotient + 1), remainder)
                column, at, left = column + 1 + gap, at + size, left - size
                bits >>= np.uint64(size)
            else:
                column, at = _next_far(words, at, stop, column, remainder)
                left = 0
        else:
            column, at = _next_index(layout, at, stop, column, remainder)
        level = np.float32(read(words, codes, layout.bits) - layout.middle) + HALF
        total += level * e[np.uint64(column)]
        codes += layout.bits
    return total


@njit(**PARALLEL)
def _decode(layout, longest, E, lanes, scores):
    n_users, n_items, threads = len(scores), scores.shape[1], len(lanes)
    for t in prange(threads):
        e, block = lanes[t], np.empty((1, LANES), np.float32)
        columns, values = np.empty(longest, np.int64), np.empty(longest, np.float32)
        for start in range(t * LANES, n_users, threads * LANES):
            users = min(LANES, n_users - start)
            for c in range(E.shape[1]):
                for lane in range(users):
                    e[c, lane] = E[start + lane, c]
            for i in range(n_items):
                length = read_row(layout, i, columns, values)
                store(block, 0, add_row(values, columns, 0, length, e, splat(ZERO)))
                for lane in range(users):
                    scores[start + lane, i] = block[0, lane]
