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


def turn_listed(array, rows, first, count, columns, at, apart):
    """The same of rows `rows[first], rows[first + 1], ...` of sixteen numbers each; columns begin
    `apart` numbers from each other."""
    for k in range(COUNT):
        row = COUNT * rows[first + min(k, count - 1)]
        columns[at + k :: apart][:COUNT] = array[row : row + COUNT]


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


def _at_most(builder: Any, k: int, last: Any) -> Any:
    number = ir.Constant(last.type, k)
    return builder.select(builder.icmp_signed("<", number, last), number, last)


def _store_columns(
    context: Any, builder: Any, kind: Any, array: Any, at: Any, apart: Any, made: list[Any]
) -> None:
    for column in made:
        builder.store(column, address_of(context, builder, kind, array, at, COUNT), align=4)
        at = builder.add(at, apart)


@intrinsic
def _turn(typing, array, place, step, count, columns, at):
    def code(context, builder, signature, given):
        source, place, step, count, target, at = given
        last = builder.sub(count, ir.Constant(count.type, 1))
        rows = []
        for k in range(COUNT):
            here = builder.add(place, builder.mul(_at_most(builder, k, last), step))
            address = address_of(context, builder, array, source, here, COUNT)
            rows.append(builder.load(address, align=4))
        apart = ir.Constant(at.type, COUNT)
        _store_columns(context, builder, columns, target, at, apart, _turned(builder, rows))
        return context.get_dummy_value()

    kinds = (array, types.int64, types.int64, types.int64, columns, types.int64)
    return types.none(*kinds), code


@overload(turn)
def _turn_overload(array, place, step, count, columns, at):
    return lambda array, place, step, count, columns, at: _turn(
        array, np.int64(place), np.int64(step), np.int64(count), columns, np.int64(at)
    )


@intrinsic
def _turn_listed(typing, array, rows, first, count, columns, at, apart):
    def code(context, builder, signature, given):
        source, listed, first, count, target, at, apart = given
        numbers = context.make_array(rows)(context, builder, listed).data
        last = builder.sub(count, ir.Constant(count.type, 1))
        found = []
        for k in range(COUNT):
            place = builder.add(first, _at_most(builder, k, last))
            row = builder.load(builder.gep(numbers, [place], inbounds=True))
            here = builder.mul(builder.sext(row, at.type), ir.Constant(at.type, COUNT))
            address = address_of(context, builder, array, source, here, COUNT)
            found.append(builder.load(address, align=4))
        _store_columns(context, builder, columns, target, at, apart, _turned(builder, found))
        return context.get_dummy_value()

    kinds = (array, rows, types.int64, types.int64, columns, types.int64, types.int64)
    return types.none(*kinds), code


@overload(turn_listed)
def _turn_listed_overload(array, rows, first, count, columns, at, apart):
    if rows.dtype != types.int32:
        return None
    return lambda array, rows, first, count, columns, at, apart: _turn_listed(
        array, rows, np.int64(first), np.int64(count), columns, np.int64(at), np.int64(apart)
    )
