"""Short vectors inside compiled loops: a row of a (rows × LANES) float32 array as one value.

Users are handled LANES at a time: their latents are a (width × LANES) array, so that one nonzero
of A serves all of them. LLVM turns the vectors into whatever the processor has (AVX, AVX-512,
NEON); plain loops over such rows are not vectorised well, as two rows might overlap.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 32  # users handled together: a row is two cache lines, four AVX registers
CACHE_LINE = 64  # bytes
SUMS = {"reassoc", "contract"}  # sums may be reordered; NaN and infinity keep their meaning
INLINE = {"fastmath": SUMS, "error_model": "numpy", "forceinline": True}
CACHED = {"fastmath": SUMS, "error_model": "numpy"}
PARALLEL = {"fastmath": SUMS, "error_model": "numpy", "parallel": True}
ZERO, ONE = np.float32(0), np.float32(1)
_FLOAT = ir.FloatType()
_LANES = ir.VectorType(_FLOAT, LANES)


class _Vector(types.Type):
    def __init__(self):
        super().__init__(name=f"float32x{LANES}")


_vector = _Vector()


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _LANES)


def _row_pointer(context, builder, signature, args):
    """Address of row args[1] of the C-contiguous array args[0]."""
    data = context.make_array(signature.args[0])(context, builder, args[0]).data
    row = context.cast(builder, args[1], signature.args[1], types.intp)
    start = builder.mul(row, ir.Constant(row.type, LANES))
    return builder.bitcast(builder.gep(data, [start]), _LANES.as_pointer())


def _call(builder, name, result, args, **keywords):
    kind = ir.FunctionType(result, [arg.type for arg in args])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f32")
    return builder.call(function, args, **keywords)


@intrinsic
def load(typingctx, array, row):
    """array[row] as a vector."""

    def build(context, builder, signature, args):
        return builder.load(_row_pointer(context, builder, signature, args), align=4)

    return _vector(array, row), build


@intrinsic
def store(typingctx, array, row, value):
    """array[row] = value."""

    def build(context, builder, signature, args):
        builder.store(args[2], _row_pointer(context, builder, signature, args), align=4)
        return context.get_dummy_value()

    return types.void(array, row, _vector), build


@intrinsic
def prefetch(typingctx, array, index):
    """Ask for the cache line of array[index], to be read soon; it may lie past the end."""

    def build(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        place = builder.gep(data, [context.cast(builder, args[1], signature.args[1], types.intp)])
        number, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        read_keep_data = [ir.Constant(number, flag) for flag in (0, 3, 1)]
        builder.call(function, [builder.bitcast(place, pointer), *read_keep_data])
        return context.get_dummy_value()

    return types.void(array, index), build


@intrinsic
def splat(typingctx, number):
    """A vector of LANES times the same float32."""

    def build(context, builder, signature, args):
        first = ir.Constant(ir.IntType(32), 0)
        anything = ir.Constant(_LANES, ir.Undefined)
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
        single = builder.insert_element(anything, args[0], first)
        return builder.shuffle_vector(single, anything, everywhere)

    return _vector(types.float32), build


@intrinsic
def multiply_add(typingctx, a, b, c):
    """a·b + c, lane by lane."""

    def build(context, builder, signature, args):
        return _call(builder, "fma", _LANES, args)

    return _vector(_vector, _vector, _vector), build


@intrinsic
def dot(typingctx, a, b):
    """Σ a·b over the lanes."""

    def build(context, builder, signature, args):
        zero = ir.Constant(_FLOAT, 0.0)
        terms = [zero, builder.fmul(*args)]
        return _call(builder, "vector.reduce.fadd", _FLOAT, terms, fastmath=("reassoc",))

    return types.float32(_vector, _vector), build


@intrinsic
def clip(typingctx, a, low, high):
    """a within [low, high], lane by lane; NaN stays NaN."""

    def build(context, builder, signature, args):
        a, low, high = args
        a = builder.select(builder.fcmp_ordered("<", a, low), low, a)
        return builder.select(builder.fcmp_ordered(">", a, high), high, a)

    return _vector(_vector, _vector, _vector), build


@intrinsic
def below(typingctx, a, high):
    """a where it is below `high`, 0 elsewhere."""

    def build(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered("<", *args), args[0], ir.Constant(_LANES, None))

    return _vector(_vector, _vector), build


@intrinsic
def lanes_above(typingctx, a, b):
    """Lanes in which a > b, as bits of a uint32."""

    def build(context, builder, signature, args):
        return builder.bitcast(builder.fcmp_ordered(">", *args), ir.IntType(LANES))

    return types.uint32(_vector, _vector), build


@intrinsic
def first_lane(typingctx, bits):
    """The lowest set bit's number; `bits` (uint32) is not 0."""

    def build(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.uint32(types.uint32), build


def _folded(builder, vectors, group):
    """Lanes of one or two vectors, taken together in groups of `group`: each group's halves added.

    Half as many lanes as went in.
    """
    first, second = vectors[0], vectors[-1]
    if len(vectors) == 1:
        second = ir.Constant(first.type, ir.Undefined)
    lanes = range(len(vectors) * first.type.count)
    low = [lane for lane in lanes if lane % group < group // 2]
    kind = ir.VectorType(ir.IntType(32), len(low))
    halves = [
        builder.shuffle_vector(first, second, ir.Constant(kind, [lane + up for lane in low]))
        for up in (0, group // 2)
    ]
    return builder.fadd(*halves, flags=("contract",))


@intrinsic
def add_dots(typingctx, array, k, a, b0, b1, b2, b3):
    """array[k : k + 4] += Σ a·b over the lanes, for four b at once: their sums share additions."""

    def build(context, builder, signature, args):
        a, *others = args[2:]
        products = [builder.fmul(a, b, flags=("contract",)) for b in others]
        s0, s1, s2, s3 = (_folded(builder, [product], LANES) for product in products)
        half = LANES // 2
        sums = [_folded(builder, pair, half) for pair in ([s0, s1], [s2, s3])]
        total, group = _folded(builder, sums, half // 2), half // 4
        while group > 1:
            total, group = _folded(builder, [total], group), group // 2
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        start = builder.gep(data, [context.cast(builder, args[1], signature.args[1], types.intp)])
        pointer = builder.bitcast(start, total.type.as_pointer())
        builder.store(builder.fadd(builder.load(pointer, align=4), total), pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, k, a, b0, b1, b2, b3), build


@njit(**INLINE)
def add_row(values, cols, first, last, E, total):
    """total + Σ_k values[k]·E[cols[k]], k from first to last: a sparse row times the latents E.

    E is width × LANES. Two sums at once hide the latency of an addition; for short rows, making
    slices would take its time.
    """
    other = splat(ZERO)
    for k in range(first, last - 1, 2):
        one, two = np.uint64(k), np.uint64(k + 1)
        total = multiply_add(splat(values[one]), load(E, cols[one]), total)
        other = multiply_add(splat(values[two]), load(E, cols[two]), other)
    if (last - first) % 2:
        at = np.uint64(last - 1)
        total = multiply_add(splat(values[at]), load(E, cols[at]), total)
    return multiply_add(splat(ONE), other, total)


def aligned(shape: tuple[int, ...]) -> np.ndarray:
    """Zeros, float32, starting on a cache line: a row of LANES then never straddles one more."""
    size = int(np.prod(shape))
    memory = np.zeros(size + CACHE_LINE // 4, dtype=np.float32)
    start = -memory.ctypes.data % CACHE_LINE // 4
    return memory[start : start + size].reshape(shape)
