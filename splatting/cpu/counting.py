"""How many splats touch each pixel: the tile lists read once more, without colours.

Unlike compositing, which stops where a pixel is opaque, this counts what lies behind as well: the
number is what a picture would cost without that stop.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from simd.lane_memory import load, scratch, spread_at, store
from simd.lanes import COUNT, spread, trailing_zeros, where
from simd.threads import guarded
from splatting.cpu import splat_columns as sc
from splatting.cpu.blending import PIXEL_X, PIXEL_Y, corner, distance, pixel_centres

f32 = np.float32


@njit(error_model="numpy", nogil=True, cache=True)
def _count(columns, word, counts, centres, patch):
    """Add the splats of `word` to the sixteen pixels of a patch."""
    left, top = corner(patch)
    x = load(centres, PIXEL_X) + f32(left)
    y = load(centres, PIXEL_Y) + f32(top)
    count = load(counts, patch * COUNT)
    while word != 0:
        i = trailing_zeros(word)
        word &= word - np.uint64(1)
        q = distance(columns, i, x, y)
        count = count + where(q <= spread_at(columns, sc.Q_CUT + i), f32(1), f32(0))
    store(counts, patch * COUNT, count)


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def count_splats(records, tile_start, splat_of, size, columns, counted):
    """`counted (h, w)` int32: the splats whose alpha at the pixel's centre is 1/255 or more.

    Tiles are those of `compositing.composite`.
    """
    height, width = counted.shape
    table = np.empty((1, 0), np.float32)  # no kernel is evaluated: q alone decides
    for tile in prange(len(tile_start) - 1):
        tile_x, tile_y = (tile % columns) * size, (tile // columns) * size
        counts, centres = scratch(sc.PATCHES * COUNT), pixel_centres()
        batch, words = scratch(sc.SIZE), np.zeros(sc.PATCHES, np.uint64)
        for patch in range(sc.PATCHES):
            store(counts, patch * COUNT, spread(f32(0)))
        end = tile_start[tile + 1]
        for begin in range(tile_start[tile], end, sc.BATCH):
            count = min(sc.BATCH, end - begin)
            sc.fetch(records, splat_of, begin, count, tile_x, tile_y, table, batch)
            sc.reach(batch, count, words)
            for patch in range(sc.PATCHES):
                if words[patch] != 0:
                    _count(batch, words[patch], counts, centres, patch)
        for patch in range(sc.PATCHES):
            left, top = corner(patch)
            for k in range(COUNT):
                x, y = tile_x + left + k % 4, tile_y + top + k // 4
                if x < width and y < height and left < size and top < size:
                    counted[y, x] = np.int32(counts[patch * COUNT + k])
