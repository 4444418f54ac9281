"""Sixteen float32 side by side as one number of compiled code.

numba leaves it to LLVM's loop vectoriser to find SIMD; a loop that carries the state of sixteen
pixels from splat to splat is beyond it. `Lanes` is a numba type that IS a vector of LLVM: its
arithmetic, its comparisons and the functions below become single instructions (one of AVX-512, two
of AVX2, four of NEON), and local variables live in registers. Called from Python the same
functions work on numpy arrays of sixteen, which is how the tests run the loops without compiling
them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import overload, register_model

intrinsic: Any = extending.intrinsic  # its stub counts the typing context as an argument

COUNT = 16
FLOAT = ir.FloatType()
VECTOR = ir.VectorType(FLOAT, COUNT)
_INDEX = ir.IntType(32)
# products and sums may fuse, quotients may go through reciprocals; NaN and infinity stay what they
# are, and nothing is re-ordered: results do not depend on the machine's width
FLAGS = ("contract", "nsz", "arcp")


class Lanes(types.Type):
    """Type of sixteen float32."""

    def __init__(self) -> None:
        super().__init__("float32x16")


class Mask(types.Type):
    """Type of sixteen truth values."""

    def __init__(self) -> None:
        super().__init__("boolx16")


lanes, mask = Lanes(), Mask()


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.VectorType(ir.IntType(1), COUNT))


def shuffle(builder: Any, x: Any, y: Any, chosen: list[int]) -> Any:
    """Elements `chosen` of x followed by y."""
    kind = ir.VectorType(_INDEX, len(chosen))
    return builder.shuffle_vector(x, y, ir.Constant(kind, chosen))


def splat(number: Any) -> ir.Constant:
    """A constant in every lane."""
    return ir.Constant(VECTOR, [float(number)] * COUNT)


def as_lanes(context: Any, builder: Any, value: Any, kind: Any) -> Any:
    """`value` itself, or a number in every lane."""
    if isinstance(kind, Lanes):
        return value
    number = context.cast(builder, value, kind, types.float32)
    nothing = ir.Constant(VECTOR, ir.Undefined)
    return shuffle(
        builder,
        builder.insert_element(nothing, number, ir.Constant(_INDEX, 0)),
        nothing,
        [0] * COUNT,
    )


def _number(kind: Any) -> bool:
    return isinstance(kind, (Lanes, types.Float, types.Integer))


def _define(function: Any, emit: Callable[..., Any], result: Any, count: int = 2) -> None:
    """Compile `function` of `count` lanes or numbers, of which one is lanes, to what `emit`
    makes."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        pairs = zip(given, signature.args, strict=True)
        return emit(builder, *(as_lanes(context, builder, v, k) for v, k in pairs))

    if count == 1:

        @intrinsic
        def one(typing, a):
            return result(a), code

        @overload(function)
        def _one(a):
            return (lambda a: one(a)) if isinstance(a, Lanes) else None

        return

    @intrinsic
    def two(typing, a, b):
        return result(a, b), code

    @overload(function)
    def _two(a, b):
        if _number(a) and _number(b) and (isinstance(a, Lanes) or isinstance(b, Lanes)):
            return lambda a, b: two(a, b)
        return None


def minimum(a, b):
    """The smaller of each lane; `b` where either is NaN."""
    return np.where(a < b, a, b)


def maximum(a, b):
    """The larger of each lane; `b` where either is NaN."""
    return np.where(a > b, a, b)


def absolute(a):
    """|a|."""
    return np.abs(a)


def square_root(a):
    """The root of each lane."""
    return np.sqrt(a)


def spread(a):
    """A number in every lane."""
    return np.full(COUNT, a, np.float32)


def where(chosen, a, b):
    """`a` in the lanes of the mask `chosen`, else `b`."""
    return np.where(chosen, a, b)


def first_lanes(count):
    """A mask of the first `count` lanes; all from 16 on."""
    return np.arange(COUNT) < count


def bits(chosen):
    """A mask as the bits of an integer, lane 0 lowest."""
    return int(np.sum(np.asarray(chosen) << np.arange(COUNT)))


def trailing_zeros(word):
    """Place of the lowest set bit of an integer that is not 0."""
    return (int(word) & -int(word)).bit_length() - 1


def vector_call(name: str) -> Callable[..., Any]:
    """What emits a call of LLVM's own function `name` on lanes."""

    def emit(builder: Any, a: Any) -> Any:
        kind = ir.FunctionType(VECTOR, [VECTOR])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v16f32")
        return builder.call(function, [a])

    return emit


for _operator, _name in (("add", "fadd"), ("sub", "fsub"), ("mul", "fmul"), ("truediv", "fdiv")):
    _define(
        getattr(operator, _operator),
        lambda builder, a, b, name=_name: getattr(builder, name)(a, b, flags=FLAGS),
        lanes,
    )
for _operator, _symbol in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")):
    _define(
        getattr(operator, _operator),
        lambda builder, a, b, symbol=_symbol: builder.fcmp_ordered(symbol, a, b),
        mask,
    )
_define(minimum, lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y), lanes)
_define(maximum, lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y), lanes)
_define(absolute, vector_call("fabs"), lanes, count=1)
_define(square_root, vector_call("sqrt"), lanes, count=1)


@intrinsic
def _both(typing, a, b):
    return mask(mask, mask), lambda context, builder, signature, given: builder.and_(*given)


@overload(operator.and_)
def _and(a, b):
    return (lambda a, b: _both(a, b)) if isinstance(a, Mask) and isinstance(b, Mask) else None


@intrinsic
def _spread(typing, a):
    def code(context, builder, signature, given):
        return as_lanes(context, builder, given[0], a)

    return lanes(a), code


@overload(spread)
def _spread_overload(a):
    return lambda a: _spread(a)


@intrinsic
def _where(typing, chosen, a, b):
    def code(context, builder, signature, given):
        x = as_lanes(context, builder, given[1], a)
        return builder.select(given[0], x, as_lanes(context, builder, given[2], b))

    return lanes(mask, a, b), code


@overload(where)
def _where_overload(chosen, a, b):
    return (lambda chosen, a, b: _where(chosen, a, b)) if isinstance(chosen, Mask) else None


def below(builder: Any, count: Any) -> Any:
    """The mask of the lanes whose number is below the int64 `count`."""
    kind = ir.VectorType(ir.IntType(64), COUNT)
    nothing = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(nothing, count, ir.Constant(_INDEX, 0))
    numbers = ir.Constant(kind, list(range(COUNT)))
    return builder.icmp_signed("<", numbers, shuffle(builder, one, nothing, [0] * COUNT))


@intrinsic
def _first_lanes(typing, count):
    def code(context, builder, signature, given):
        return below(builder, given[0])

    return mask(types.int64), code


@overload(first_lanes)
def _first_lanes_overload(count):
    return lambda count: _first_lanes(np.int64(count))


@intrinsic
def _bits(typing, chosen):
    def code(context, builder, signature, given):
        return builder.zext(builder.bitcast(given[0], ir.IntType(COUNT)), ir.IntType(64))

    return types.int64(mask), code


@overload(bits)
def _bits_overload(chosen):
    return (lambda chosen: _bits(chosen)) if isinstance(chosen, Mask) else None


@intrinsic
def _trailing_zeros(typing, word):
    def code(context, builder, signature, given):
        long = ir.IntType(64)
        kind = ir.FunctionType(long, [long, ir.IntType(1)])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.cttz.i64")
        return builder.call(function, [given[0], ir.Constant(ir.IntType(1), 1)])

    return types.int64(types.int64), code


@overload(trailing_zeros)
def _trailing_zeros_overload(word):
    return lambda word: _trailing_zeros(np.int64(word))
