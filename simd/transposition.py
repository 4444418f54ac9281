"""A square of sixteen by sixteen numbers, turned so that its rows become columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import overload

from simd.lane_memory import address_of
from simd.lanes import COUNT, intrinsic, shuffle


def turn(array, place, step, count, columns, at):
    """Rows `array[place + k step : ... + 16]`, k up to `count`, to `columns[at + 16 e + k]`; the
    last of fewer than sixteen rows counts again for those that are not there."""
    for k in range(COUNT):
        row = place + min(k, count - 1) * step
        columns[at + k : at + k + COUNT * COUNT : COUNT] = array[row : row + COUNT]


def _turned(builder: Any, rows: list[Any]) -> list[Any]:
    """Halves change places, then the halves of each (Eklundh 1972): four stages of shuffles."""
    half = COUNT // 2
    while half:
        low = [k if not k & half else COUNT + k - half for k in range(COUNT)]
        high = [k + half if not k & half else COUNT + k for k in range(COUNT)]
        for k in range(COUNT):
            if not k & half:
                a, b = rows[k], rows[k + half]
                rows[k], rows[k + half] = shuffle(builder, a, b, low), shuffle(builder, a, b, high)
        half //= 2
    return rows


@intrinsic
def _turn(typing, array, place, step, count, columns, at):
    def code(context, builder, signature, given):
        source, place, step, count, target, at = given
        last = builder.sub(count, ir.Constant(count.type, 1))
        rows = []
        for k in range(COUNT):
            number = ir.Constant(count.type, k)
            number = builder.select(builder.icmp_signed("<", number, last), number, last)
            here = builder.add(place, builder.mul(number, step))
            address = address_of(context, builder, array, source, here, COUNT)
            rows.append(builder.load(address, align=4))
        for e, column in enumerate(_turned(builder, rows)):
            here = builder.add(at, ir.Constant(at.type, COUNT * e))
            address = address_of(context, builder, columns, target, here, COUNT)
            builder.store(column, address, align=4)
        return context.get_dummy_value()

    kinds = (array, types.int64, types.int64, types.int64, columns, types.int64)
    return types.none(*kinds), code


@overload(turn)
def _turn_overload(array, place, step, count, columns, at):
    return lambda array, place, step, count, columns, at: _turn(
        array, np.int64(place), np.int64(step), np.int64(count), columns, np.int64(at)
    )
