"""The loop that writes packed rows: see `packed` for what a row is."""

from numba import njit

from celsa_lib.kernels.bits import write
from celsa_lib.kernels.packed import FIXED, RICE


@njit(cache=True)
def write_rows(layout, heads, indptr, codes, symbols):
    """Write rows into the zeros of `layout.words`.

    heads: rows × 4 codes; codes and symbols (indices, or gaps by Rice) as indptr divides them.
    """
    words = layout.words
    for i in range(len(indptr) - 1):
        at = layout.starts[i]
        for part in range(4):
            write(words, at, heads[i, part])
            at += layout.head_bits[part]
        for k in range(indptr[i], indptr[i + 1]):
            write(words, at, codes[k])
            at += layout.bits
        remainder = layout.remainders[indptr[i + 1] - indptr[i]]
        for k in range(indptr[i], indptr[i + 1]):
            if layout.coding == FIXED:
                write(words, at, symbols[k])
                at += layout.index_bits
            elif layout.coding == RICE:
                for _ in range(symbols[k] >> remainder):
                    write(words, at, 1)
                    at += 1
                write(words, at + 1, symbols[k] & ((1 << remainder) - 1))
                at += 1 + remainder
