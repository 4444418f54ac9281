"""Lanes from memory and back: runs of sixteen numbers, sums across lanes."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import overload

from simd.lane_parts import load_first, store_first
from simd.lanes import COUNT, FLOAT, VECTOR, intrinsic, lanes, shuffle

_CACHE_LINE = 64
_HALF, _BYTE, _INT = ir.HalfType(), ir.IntType(8), ir.IntType(32)
_ADDRESS = ir.PointerType(_BYTE)


def load(array, place):
    """`array[place : place + 16]` of a flat float32 array, of one of int8, or of one of uint16 that
    are the bits of float16, for which numba has no type."""
    part = array[place : place + COUNT]
    part = part.view(np.float16) if array.dtype == np.uint16 else part
    return part.astype(np.float32)


def store(array, place, value):
    """Write lanes to `array[place : place + 16]`."""
    array[place : place + COUNT] = value


def load_part(array, place, count):
    """Up to `count` numbers from `array[place]` on, zeros in the lanes beyond."""
    part = np.zeros(COUNT, array.dtype)
    part[: max(count, 0)] = array[place : place + min(max(count, 0), COUNT)]
    return part


def store_part(array, place, count, value):
    """Write up to `count` lanes to `array[place], ...`."""
    count = min(max(count, 0), COUNT)
    array[place : place + count] = value[:count]


def spread_at(array, place):
    """`array[place]` in every lane; `place` is not negative."""
    return array[place]


def prefetch(array, place):
    """Ask for the cache line of number `place` of an array in one piece, flat or not, ahead of its
    turn; a place beyond the end asks for nothing that matters."""


def store_sums(array, place, values):
    """The sum over lanes of each of the tuple `values` (at most 16) to `array[place], ...`."""
    array[place : place + len(values)] = [np.sum(v) for v in values]


@njit(error_model="numpy", nogil=True, cache=True)
def prefetch_run(array, place, count):
    """The same of `count` float32 from `place` on."""
    for at in range(place, place + count, COUNT):
        prefetch(array, at)


@njit(error_model="numpy", nogil=True, cache=True)
def scratch(size):
    """`size` numbers, not set, from a cache line's start: lanes that straddle two cost twice."""
    room = np.empty(size + COUNT, np.float32)
    first = (-room.ctypes.data % _CACHE_LINE) // 4
    return room[first : first + size]


@njit(error_model="numpy", nogil=True, cache=True)
def scratch64(size):
    """The same of float64."""
    room = np.empty(size + _CACHE_LINE // 8)
    first = (-room.ctypes.data % _CACHE_LINE) // 8
    return room[first : first + size]


def aligned(size: int, dtype: Any = np.float32) -> np.ndarray:
    """`size` numbers, not set, from a cache line's start, for code that is not compiled."""
    kind = np.dtype(dtype)
    room = np.empty(size * kind.itemsize + _CACHE_LINE, np.uint8)
    first = -room.ctypes.data % _CACHE_LINE
    return room[first : first + size * kind.itemsize].view(kind)


def address_of(
    context: Any, builder: Any, kind: Any, array: Any, place: Any, count: int, of: ir.Type = FLOAT
) -> Any:
    """Where `array[place]` lies, as the address of a vector of `count` numbers."""
    data = context.make_array(kind)(context, builder, array).data
    vector = ir.PointerType(ir.VectorType(of, count))
    return builder.bitcast(builder.gep(data, [place], inbounds=True), vector)


@intrinsic
def _load(typing, array, place):
    def code(context, builder, signature, given):
        at = context.cast(builder, given[1], place, types.intp)
        if array.dtype == types.uint16:
            address = address_of(context, builder, array, given[0], at, COUNT, _HALF)
            return builder.fpext(builder.load(address, align=2), VECTOR)
        if array.dtype == types.int8:
            address = address_of(context, builder, array, given[0], at, COUNT, _BYTE)
            return builder.sitofp(builder.load(address, align=1), VECTOR)
        return builder.load(address_of(context, builder, array, given[0], at, COUNT), align=4)

    return lanes(array, place), code


@overload(load)
def _load_overload(array, place):
    return lambda array, place: _load(array, place)


def _whole(builder: Any, count: Any) -> Any:
    """Whether a part is all lanes, as it nearly always is."""
    return builder.icmp_signed(">=", count, ir.Constant(count.type, COUNT))


@intrinsic
def _load_part(typing, array, place, count):
    def code(context, builder, signature, given):
        address = address_of(context, builder, array, given[0], given[1], COUNT)
        with builder.if_else(_whole(builder, given[2]), likely=True) as (then, otherwise):
            with then:
                whole, from_whole = builder.load(address, align=4), builder.block
            with otherwise:
                part, from_part = load_first(builder, address, given[2]), builder.block
        found = builder.phi(VECTOR)
        found.add_incoming(whole, from_whole)
        found.add_incoming(part, from_part)
        return found

    return lanes(array, types.intp, types.int64), code


@overload(load_part)
def _load_part_overload(array, place, count):
    return lambda array, place, count: _load_part(array, np.intp(place), np.int64(count))


@intrinsic
def _store_part(typing, array, place, count, value):
    def code(context, builder, signature, given):
        address = address_of(context, builder, array, given[0], given[1], COUNT)
        with builder.if_else(_whole(builder, given[2]), likely=True) as (then, otherwise):
            with then:
                builder.store(given[3], address, align=4)
            with otherwise:
                store_first(builder, address, given[2], given[3])
        return context.get_dummy_value()

    return types.none(array, types.intp, types.int64, lanes), code


@overload(store_part)
def _store_part_overload(array, place, count, value):
    return lambda array, place, count, value: _store_part(
        array, np.intp(place), np.int64(count), value
    )


@intrinsic
def _spread_at(typing, array, place):
    # numba's own indexing asks whether the place is negative, and keeps a register for each answer
    def code(context, builder, signature, given):
        at = context.cast(builder, given[1], place, types.intp)
        number = builder.load(address_of(context, builder, array, given[0], at, 1), align=4)
        return shuffle(builder, number, number, [0] * COUNT)

    return lanes(array, place), code


@overload(spread_at)
def _spread_at_overload(array, place):
    return lambda array, place: _spread_at(array, place)


@intrinsic
def _prefetch(typing, array, place):
    def code(context, builder, signature, given):
        data = context.make_array(array)(context, builder, given[0]).data
        at = context.cast(builder, given[1], place, types.intp)
        address = builder.bitcast(builder.gep(data, [at]), _ADDRESS)
        # llvm.prefetch: to be read, into the second cache, data
        kind = ir.FunctionType(ir.VoidType(), [_ADDRESS, *3 * [_INT]])
        hint = builder.module.declare_intrinsic("llvm.prefetch", [_ADDRESS], kind)
        builder.call(hint, [address, *(ir.Constant(_INT, n) for n in (0, 2, 1))])
        return context.get_dummy_value()

    return types.none(array, place), code


@overload(prefetch)
def _prefetch_overload(array, place):
    return lambda array, place: _prefetch(array, place)


@intrinsic
def _store(typing, array, place, value):
    def code(context, builder, signature, given):
        at = context.cast(builder, given[1], place, types.intp)
        builder.store(given[2], address_of(context, builder, array, given[0], at, COUNT), align=4)
        return context.get_dummy_value()

    return types.none(array, place, lanes), code


@overload(store)
def _store_overload(array, place, value):
    return lambda array, place, value: _store(array, place, value)


@intrinsic
def _store_sums(typing, array, place, values):
    """Halves of two vectors are added into one until one vector holds all sums: 36 instructions
    for twelve values, where one at a time they would be 96."""

    def code(context, builder, signature, given):
        left = cgutils.unpack_tuple(builder, given[2], len(values))
        count, size = len(left), COUNT
        while size > 1:
            half = size // 2
            if len(left) % 2:
                left.append(ir.Constant(VECTOR, [0.0] * COUNT))
            starts = range(0, 2 * COUNT, size)
            low = [start + i for start in starts for i in range(half)]
            left = [
                builder.fadd(
                    shuffle(builder, x, y, low), shuffle(builder, x, y, [i + half for i in low])
                )
                for x, y in zip(left[::2], left[1::2], strict=True)
            ]
            size = half
        if len(left) > 1:
            raise ValueError(f"expected at most {COUNT} values, found {count}")
        at = context.cast(builder, given[1], place, types.intp)
        first = 0
        while first < count:
            # runs of 8, 4, 2, 1 numbers: nothing beyond the last sum is written
            run = 1 << ((count - first).bit_length() - 1)
            here = builder.add(at, ir.Constant(at.type, first))
            part = shuffle(builder, left[0], left[0], list(range(first, first + run)))
            builder.store(part, address_of(context, builder, array, given[0], here, run), align=4)
            first += run
        return context.get_dummy_value()

    return types.none(array, place, values), code


@overload(store_sums)
def _store_sums_overload(array, place, values):
    return lambda array, place, values: _store_sums(array, place, values)
