"""The next splats of a tile, up to 64 of them, as columns in the fastest memory.

Records lie all over memory; fetching a batch of them in one go lets the machine wait for many at
once. As columns, sixteen splats can be asked side by side which patches of the tile they reach, and
the loops over pixels find each number of a splat where one instruction can spread it over all
lanes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from simd.lane_memory import load, prefetch, scratch, store
from simd.lanes import COUNT, bits, first_lanes, maximum, minimum, where
from simd.transposition import turn_listed
from splatting.cpu import screen as s
from splatting.cpu.falloff import MOST_COEFFICIENTS
from splatting.cpu.patches import PATCH

f32 = np.float32

BATCH = 64
"""Splats at a time: the bits of one word."""
SIDE = s.TILE // PATCH
PATCHES = SIDE * SIDE

A, B, C, Q_CUT, OPACITY, RED, GREEN, BLUE, DEPTH = (
    BATCH * k
    for k in (
        s.CONIC_A,
        s.CONIC_B,
        s.CONIC_C,
        s.Q_CUT,
        s.OPACITY,
        s.RED,
        s.GREEN,
        s.BLUE,
        s.DEPTH,
    )
)
"""A column for each number of a record, in their order."""
X, Y, TWO_B = BATCH * s.X_WHOLE, BATCH * s.Y_WHOLE, BATCH * s.X_PART
"""Made of what stands there at first."""
PAINT = s.WIDTH * BATCH
"""Coefficients of o f, one column each."""
SLOPE = PAINT + MOST_COEFFICIENTS * BATCH
"""Those of o df/dv."""
SIZE = SLOPE + MOST_COEFFICIENTS * BATCH


TOP, FROM_Y, MIXED, BEST_X = (COUNT * k for k in range(4))
ROW = 4 * COUNT
"""What `reach` knows of a row of patches, for sixteen splats."""


@njit(inline="always")
def bit(patch):
    """That of a patch in the word of its tile."""
    return np.uint64(1) << np.uint64(patch)


@njit(error_model="numpy", nogil=True, cache=True)
def fetch(records, splat_of, begin, count, tile_x, tile_y, table, columns):
    """`count` splats of a tile's list from place `begin` on into `columns`; positions are relative
    to the tile's corner. `table (1 or 2, n)` has the kernel's coefficients for PAINT and SLOPE.

    Those that come next in the list are asked for: they are here when it is their turn.
    """
    flat = records.reshape(records.size)
    for i in range(begin + BATCH, min(begin + 2 * BATCH, len(splat_of))):
        prefetch(flat, splat_of[i] * s.WIDTH)
    for group in range(0, count, COUNT):
        turn_listed(flat, splat_of, begin + group, count - group, columns, group, BATCH)
        x, y = load(columns, X + group) - f32(tile_x), load(columns, Y + group) - f32(tile_y)
        store(columns, X + group, x + load(columns, BATCH * s.X_PART + group))
        store(columns, Y + group, y + load(columns, BATCH * s.Y_PART + group))
        store(columns, TWO_B + group, f32(2) * load(columns, B + group))
        # no number is below NaN: lanes beyond the last splat reach nothing
        there = first_lanes(count - group)
        store(columns, Q_CUT + group, where(there, load(columns, Q_CUT + group), f32(np.nan)))
        opacity = load(columns, OPACITY + group)
        for k in range(table.shape[1]):
            store(columns, PAINT + k * BATCH + group, opacity * table[0, k])
            if len(table) > 1:
                store(columns, SLOPE + k * BATCH + group, opacity * table[1, k])


@njit(error_model="numpy", nogil=True, cache=True)
def reach(columns, count, words):
    """Bit i of `words[p]` says whether splat i paints any pixel centre of patch p.

    Exact but for rounding: the smallest q over a rectangle that does not hold the centre lies on
    one of the two sides that face the centre, and on a side it has a closed form.
    """
    rows = scratch(ROW * SIDE)
    for p in range(PATCHES):
        words[p] = 0
    for group in range(0, count, COUNT):
        x, y = load(columns, X + group), load(columns, Y + group)
        a, b, c = load(columns, A + group), load(columns, B + group), load(columns, C + group)
        q_cut = load(columns, Q_CUT + group)
        slant_y, slant_x = f32(0) - b / c, f32(0) - b / a
        two_b = load(columns, TWO_B + group)
        for row in range(SIDE):
            top = f32(PATCH * row + 0.5) - y
            near_y = maximum(top, minimum(top + f32(PATCH - 1), f32(0)))
            store(rows, ROW * row + TOP, top)
            store(rows, ROW * row + FROM_Y, near_y * near_y * c)
            store(rows, ROW * row + MIXED, near_y * two_b)
            store(rows, ROW * row + BEST_X, near_y * slant_x)
        for column in range(SIDE):
            left = f32(PATCH * column + 0.5) - x
            right = left + f32(PATCH - 1)
            near_x = maximum(left, minimum(right, f32(0)))
            from_x, mixed, best_y = near_x * near_x * a, near_x * two_b, near_x * slant_y
            for row in range(SIDE):
                top = load(rows, ROW * row + TOP)
                dy = minimum(maximum(best_y, top), top + f32(PATCH - 1))
                dx = minimum(maximum(load(rows, ROW * row + BEST_X), left), right)
                on_column = from_x + dy * (mixed + dy * c)
                on_row = load(rows, ROW * row + FROM_Y) + dx * (
                    load(rows, ROW * row + MIXED) + dx * a
                )
                reached = bits(minimum(on_column, on_row) <= q_cut)
                words[row * SIDE + column] |= np.uint64(reached) << np.uint64(group)
