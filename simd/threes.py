"""Colours lie in threes: sixteen lanes hold five of them, and one number more."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import overload

from simd.lane_memory import address_of
from simd.lanes import COUNT, VECTOR, Lanes, intrinsic, lanes, shuffle

FIVE = COUNT // 3
"""Threes in the lanes."""
_LANES = range(COUNT)


def thrice(array, place):
    """`array[place]` in lanes 0 to 2, the next number in lanes 3 to 5, and so on; sixteen numbers
    from `place` on are read."""
    return np.repeat(array[place : place + COUNT], 3)[:COUNT]


def in_turn(red, green, blue):
    """The three numbers again and again."""
    return np.tile(np.array([red, green, blue], np.float32), FIVE + 1)[:COUNT]


def sums_of_three(a):
    """The sum of lanes 0 to 2 in lane 0, of lanes 3 to 5 in lane 1, and so on to lane 4; what the
    others hold means nothing."""
    sums = np.zeros(COUNT, np.float32)
    sums[:FIVE] = a[: 3 * FIVE].reshape(FIVE, 3).sum(axis=1)
    return sums


@intrinsic
def _thrice(typing, array, place):
    def code(context, builder, signature, given):
        row = builder.load(address_of(context, builder, array, given[0], given[1], COUNT), align=4)
        return shuffle(builder, row, row, [lane // 3 for lane in _LANES])

    return lanes(array, types.int64), code


@overload(thrice)
def _thrice_overload(array, place):
    return lambda array, place: _thrice(array, np.int64(place))


@intrinsic
def _in_turn(typing, red, green, blue):
    def code(context, builder, signature, given):
        row = ir.Constant(VECTOR, ir.Undefined)
        for lane, number in enumerate(given):
            row = builder.insert_element(row, number, ir.Constant(ir.IntType(32), lane))
        return shuffle(builder, row, row, [lane % 3 for lane in _LANES])

    return lanes(types.float32, types.float32, types.float32), code


@overload(in_turn)
def _in_turn_overload(red, green, blue):
    return lambda red, green, blue: _in_turn(np.float32(red), np.float32(green), np.float32(blue))


@intrinsic
def _sums_of_three(typing, a):
    def code(context, builder, signature, given):
        parts: list[Any] = [
            shuffle(builder, given[0], given[0], [min(3 * lane + k, COUNT - 1) for lane in _LANES])
            for k in range(3)
        ]
        return builder.fadd(builder.fadd(parts[0], parts[1]), parts[2])

    return lanes(lanes), code


@overload(sums_of_three)
def _sums_of_three_overload(a):
    return (lambda a: _sums_of_three(a)) if isinstance(a, Lanes) else None
