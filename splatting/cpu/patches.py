"""Patches of 4x4 pixels from images and back: one lane a pixel, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import types
from numba.extending import overload

from simd.lane_memory import address_of
from simd.lanes import COUNT, intrinsic, lanes, shuffle

PATCH = 4
"""Pixels along a side of a patch."""


def load_rows(array, place, stride):
    """A patch of an image `(h, w)`, flat: four numbers from `place`, and every `stride` on."""
    return np.concatenate([array[place + k * stride :][:PATCH] for k in range(PATCH)])


def store_rows(array, place, stride, value):
    """Write a patch of an image `(h, w)`, flat."""
    for k in range(PATCH):
        array[place + k * stride :][:PATCH] = value[PATCH * k : PATCH * (k + 1)]


def load_rows_rgb(array, place, stride):
    """Three lanes, red, green and blue, from an image `(h, w, 3)`, flat."""
    rows = np.concatenate([array[place + k * stride :][: 3 * PATCH] for k in range(PATCH)])
    return rows[0::3], rows[1::3], rows[2::3]


def store_rows_rgb(array, place, stride, red, green, blue):
    """Write a patch of an image `(h, w, 3)`, flat."""
    mixed = np.column_stack([red, green, blue]).ravel()
    for k in range(PATCH):
        row = slice(3 * PATCH * k, 3 * PATCH * (k + 1))
        array[place + k * stride :][: 3 * PATCH] = mixed[row]


def _rows(context: Any, builder: Any, signature: Any, given: Any, count: int) -> list[Any]:
    """Addresses of the four runs of `count` numbers of a patch."""
    place = context.cast(builder, given[1], signature.args[1], types.intp)
    stride = context.cast(builder, given[2], signature.args[2], types.intp)
    addresses = []
    for _ in range(PATCH):
        addresses.append(address_of(context, builder, signature.args[0], given[0], place, count))
        place = builder.add(place, stride)
    return addresses


@intrinsic
def _load_rows(typing, array, place, stride):
    def code(context, builder, signature, given):
        rows = [builder.load(p, align=4) for p in _rows(context, builder, signature, given, PATCH)]
        upper = shuffle(builder, rows[0], rows[1], list(range(8)))
        lower = shuffle(builder, rows[2], rows[3], list(range(8)))
        return shuffle(builder, upper, lower, list(range(COUNT)))

    return lanes(array, place, stride), code


@overload(load_rows)
def _load_rows_overload(array, place, stride):
    return lambda array, place, stride: _load_rows(array, place, stride)


@intrinsic
def _store_rows(typing, array, place, stride, value):
    def code(context, builder, signature, given):
        for k, address in enumerate(_rows(context, builder, signature, given, PATCH)):
            row = list(range(PATCH * k, PATCH * (k + 1)))
            builder.store(shuffle(builder, given[3], given[3], row), address, align=4)
        return context.get_dummy_value()

    return types.none(array, place, stride, lanes), code


@overload(store_rows)
def _store_rows_overload(array, place, stride, value):
    return lambda array, place, stride, value: _store_rows(array, place, stride, value)


@intrinsic
def _load_rows_rgb(typing, array, place, stride):
    def code(context, builder, signature, given):
        width = 3 * PATCH
        rows = [builder.load(p, align=4) for p in _rows(context, builder, signature, given, width)]
        upper = shuffle(builder, rows[0], rows[1], list(range(2 * width)))
        lower = shuffle(builder, rows[2], rows[3], list(range(2 * width)))
        planes = [
            shuffle(builder, upper, lower, list(range(channel, 4 * width, 3)))
            for channel in range(3)
        ]
        return context.make_tuple(builder, signature.return_type, planes)

    return types.UniTuple(lanes, 3)(array, place, stride), code


@overload(load_rows_rgb)
def _load_rows_rgb_overload(array, place, stride):
    return lambda array, place, stride: _load_rows_rgb(array, place, stride)


@intrinsic
def _store_rows_rgb(typing, array, place, stride, red, green, blue):
    def code(context, builder, signature, given):
        both = shuffle(builder, given[3], given[4], list(range(2 * COUNT)))
        third = shuffle(builder, given[5], given[5], list(range(2 * COUNT)))
        for k, address in enumerate(_rows(context, builder, signature, given, 3 * PATCH)):
            pixels = range(PATCH * k, PATCH * (k + 1))
            row = [p + COUNT * channel for p in pixels for channel in range(3)]
            builder.store(shuffle(builder, both, third, row), address, align=4)
        return context.get_dummy_value()

    return types.none(array, place, stride, lanes, lanes, lanes), code


@overload(store_rows_rgb)
def _store_rows_rgb_overload(array, place, stride, red, green, blue):
    return lambda array, place, stride, red, green, blue: _store_rows_rgb(
        array, place, stride, red, green, blue
    )
