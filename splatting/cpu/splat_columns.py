"""The next splats of a tile, up to 64 of them, as columns in the fastest memory.

Records lie all over memory; fetching a batch of them in one go lets the machine wait for many at
once. As columns, sixteen splats can be asked side by side which patches of the tile they reach, and
the loops over pixels find each number of a splat where one instruction can spread it over all
lanes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from simd.lane_memory import load, scratch, store
from simd.lanes import COUNT, bits, maximum, minimum
from splatting.cpu import screen as s
from splatting.cpu.falloff import MOST_COEFFICIENTS
from splatting.cpu.patches import PATCH

f32 = np.float32

BATCH = 64
"""Splats at a time: the bits of one word."""
SIDE = s.TILE // PATCH
PATCHES = SIDE * SIDE

X, Y, A, B, TWO_B, C, Q_CUT, OPACITY, RED, GREEN, BLUE, DEPTH = (BATCH * k for k in range(12))
PAINT = 12 * BATCH
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
    to the tile's corner. `table (1 or 2, n)` has the kernel's coefficients for PAINT and SLOPE."""
    for i in range(count):
        record = records[splat_of[begin + i]]
        columns[X + i] = (record[s.X_WHOLE] - f32(tile_x)) + record[s.X_PART]
        columns[Y + i] = (record[s.Y_WHOLE] - f32(tile_y)) + record[s.Y_PART]
        columns[A + i] = record[s.CONIC_A]
        columns[B + i] = record[s.CONIC_B]
        columns[TWO_B + i] = f32(2) * record[s.CONIC_B]
        columns[C + i] = record[s.CONIC_C]
        columns[Q_CUT + i] = record[s.Q_CUT]
        columns[OPACITY + i] = record[s.OPACITY]
        columns[RED + i] = record[s.RED]
        columns[GREEN + i] = record[s.GREEN]
        columns[BLUE + i] = record[s.BLUE]
        columns[DEPTH + i] = record[s.DEPTH]
    groups = (count + COUNT - 1) // COUNT
    for i in range(count, groups * COUNT):
        columns[Q_CUT + i] = f32(np.nan)  # no number is below it: these reach nothing
    for group in range(0, groups * COUNT, COUNT):
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
