"""Front-to-back compositing of tile lists, one tile of 16x16 pixels at a time.

All per-pixel state of a tile lives in ONE flat float32 buffer, planes 256 apart: LLVM can then see
that the planes do not overlap and turns the pixel loop into SIMD of whatever width the machine has.
A splat visits only the rows inside its own extent, which are contiguous in the buffer.

A pixel ends BEFORE the splat that would take its transmittance below 1e-4. The loop has no branch
for that: a finished pixel's transmittance changes sign, so that every later test fails.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from splatting.cpu import screen as s
from splatting.cpu.falloff import falloff
from splatting.cpu.threads import guarded

f32 = np.float32

MAX_ALPHA = f32(0.99)
"""Of one splat at one pixel (3DGS); callers may pass another."""
STOP = f32(1e-4)
"""Transmittance at which a pixel is finished."""
AREA = s.TILE_AREA
_CHECK_EVERY = 16
"""Splats between two looks at whether the whole tile is finished."""
TILES_AT_ONCE = 4
"""Tiles that a thread takes from the queue: small, because tiles differ in cost."""

PIXEL_X, PIXEL_Y, TRANSMITTANCE = 0, AREA, 2 * AREA
RED, GREEN, BLUE, DEPTH = 3 * AREA, 4 * AREA, 5 * AREA, 6 * AREA


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def _blend(buffer, start, count, program, most, x, y, a, b, c, o, q_cut, red, green, blue, depth):
    """Lay one splat over `count` pixels of the tile from `start`."""
    v = buffer[start:]
    for p in range(count):
        dx = v[p + PIXEL_X] - x
        dy = v[p + PIXEL_Y] - y
        q = a * dx * dx + c * dy * dy + f32(2) * b * dx * dy
        alpha = min(o * falloff(program, q), most)
        alpha = alpha if q <= q_cut else f32(0)
        t = v[p + TRANSMITTANCE]
        weight = alpha * t
        goes_on = t - weight >= STOP
        weight = weight if goes_on else f32(0)
        v[p + RED] += weight * red
        v[p + GREEN] += weight * green
        v[p + BLUE] += weight * blue
        v[p + DEPTH] += weight * depth
        v[p + TRANSMITTANCE] = t - weight if goes_on else -abs(t)


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def _finished(buffer):
    """Whether no pixel of the tile is open any more."""
    most = f32(-1)
    for p in range(AREA):
        most = max(most, buffer[p + TRANSMITTANCE])
    return most <= f32(0)


@njit(inline="always")
def span(record, tile_x, tile_y):
    """Position relative to the tile, first row and one past the last row that the splat reaches."""
    x = (record[s.X_WHOLE] - f32(tile_x)) + record[s.X_PART]
    y = (record[s.Y_WHOLE] - f32(tile_y)) + record[s.Y_PART]
    half = record[s.HALF_HEIGHT]
    first = int(math.ceil(max(y - half - f32(0.501), f32(0))))
    end = int(math.floor(min(y + half - f32(0.499), f32(s.TILE - 1)))) + 1
    return x, y, first, max(end, first)


@guarded
@njit(parallel=True, fastmath=True, error_model="numpy", nogil=True, cache=True)
def composite(
    records,
    program,
    most,
    tile_start,
    splat_of,
    columns,
    background,
    rgb,
    transmittance,
    depth,
    ends,
):
    """Draw all tiles: `rgb (h, w, 3)` over `background (3,)`, `transmittance (h, w)`, `depth (h,
    w)` = sum of w z.

    `most` is the largest alpha of one splat.

    `ends (tiles,)` receives where each tile's list was left, which is where the backward stops too.
    """
    height, width = transmittance.shape
    for tile in prange(len(ends)):
        tile_x, tile_y = (tile % columns) * s.TILE, (tile // columns) * s.TILE
        buffer = np.zeros(7 * AREA, np.float32)
        for p in range(AREA):
            buffer[p + PIXEL_X] = f32(p % s.TILE) + f32(0.5)
            buffer[p + PIXEL_Y] = f32(p // s.TILE) + f32(0.5)
            # pixels beyond the image's edge are finished from the start
            inside = tile_x + p % s.TILE < width and tile_y + p // s.TILE < height
            buffer[p + TRANSMITTANCE] = f32(1) if inside else f32(-1)
        end = tile_start[tile + 1]
        for place in range(tile_start[tile], tile_start[tile + 1]):
            record = records[splat_of[place]]
            x, y, first, last = span(record, tile_x, tile_y)
            _blend(
                buffer,
                first * s.TILE,
                (last - first) * s.TILE,
                program,
                most,
                x,
                y,
                record[s.CONIC_A],
                record[s.CONIC_B],
                record[s.CONIC_C],
                record[s.OPACITY],
                record[s.Q_CUT],
                record[s.RED],
                record[s.GREEN],
                record[s.BLUE],
                record[s.DEPTH],
            )
            if place % _CHECK_EVERY == _CHECK_EVERY - 1 and _finished(buffer):
                end = place + 1
                break
        ends[tile] = end
        for p in range(AREA):
            px, py = tile_x + p % s.TILE, tile_y + p // s.TILE
            if px < width and py < height:
                t = abs(buffer[p + TRANSMITTANCE])
                rgb[py, px, 0] = buffer[p + RED] + t * background[0]
                rgb[py, px, 1] = buffer[p + GREEN] + t * background[1]
                rgb[py, px, 2] = buffer[p + BLUE] + t * background[2]
                transmittance[py, px] = t
                depth[py, px] = buffer[p + DEPTH]
