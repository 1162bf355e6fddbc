"""Bits of uint64 words, the lowest first, read and written from any place on in compiled loops."""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from celsa_lib.kernels.simd import INLINE

WINDOW_BITS = 57  # bits that a read of eight bytes gives from any bit on


@intrinsic
def window(typingctx, words, at):
    """The 64 bits from the byte of bit `at` on; the first `at` % 8 are of what is before it."""

    def build(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        byte = builder.lshr(args[1], ir.Constant(args[1].type, 3))
        start = builder.gep(builder.bitcast(data, ir.IntType(8).as_pointer()), [byte])
        return builder.load(builder.bitcast(start, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(words, types.int64), build


@intrinsic
def trailing_zeros(typingctx, bits):
    """Zeros of a uint64 below its lowest one: 64 of 0."""

    def build(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), build


@njit(**INLINE)
def bits_from(words, at):
    """What follows bit `at`, lowest first: WINDOW_BITS bits at least, then maybe zeros."""
    return window(words, at) >> np.uint64(at & 7)


@njit(**INLINE)
def lowest(bits, count):
    """The `count` lowest of a uint64's bits, as a number."""
    return np.int64(bits & ((np.uint64(1) << np.uint64(count)) - np.uint64(1)))


@njit(**INLINE)
def read(words, at, count):
    """The `count` (at most 32) bits from bit `at` on."""
    return lowest(bits_from(words, at), count)


@njit(**INLINE)
def write(words, at, value):
    """Write a value's bits into zeros, from bit `at` on."""
    word, shift = at >> 6, np.uint64(at & 63)
    words[word] |= np.uint64(value) << shift
    words[word + 1] |= (np.uint64(value) >> np.uint64(1)) >> (np.uint64(63) - shift)
