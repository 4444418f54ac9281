"""Tile lists in depth order: splats that are sorted already, by a counting sort into tiles.

Because splats are scattered in depth order, every tile's list comes out sorted; no pair is ever
compared with another. The work is split into a fixed number of chunks whatever the number of
threads, so the lists are the same on any machine.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from simd.lane_memory import prefetch
from simd.threads import guarded
from splatting.cpu import screen as s

CHUNKS = 16
BOX, FIRST_PAIR = 8, 1
"""Numbers of a splat's box as int16 (first and one-past-last column and row of tiles, then room),
of which the second half is one int64: how many pairs it has, later its first. One place for all
that a splat in depth order needs, which lies anywhere in memory."""


@njit(nogil=True, cache=True)
def pair_offsets(boxes, visible, pair_start):
    """Turn counts of pairs into their running sum, in `boxes` and in `pair_start (v + 1,)`; returns
    the number of pairs."""
    pairs = boxes.view(np.int64)
    total = 0
    for j in range(len(visible)):
        here = pairs[visible[j], FIRST_PAIR]
        pairs[visible[j], FIRST_PAIR] = pair_start[j] = total
        total += here
    pair_start[len(visible)] = total
    return total


@njit(error_model="numpy", nogil=True, cache=True)
def tile_range(centre, half, count):
    """First and one-past-last of `count` tiles along an axis that have a pixel centre within
    `half` of `centre`, as floats, which LLVM turns into lanes."""
    # a thousandth of a pixel of slack covers rounding
    first = np.floor(np.ceil(centre - half - 0.501) * (1.0 / s.TILE))
    last = np.floor(np.floor(centre + half - 0.499) * (1.0 / s.TILE))
    return max(first, 0.0), min(last + 1.0, count)


@njit(error_model="numpy", nogil=True, cache=True)
def tile_columns(a, b, c, q_cut, x, y, half_width, half_height, row, columns):
    """First and one-past-last tile column that the ellipse reaches within tile row `row`.

    Exact for the pixel centres of the row: x is extremal on the ellipse at dy* = -+ B half_width /
    C, or, if that lies outside the row's band, on the nearer edge of the band.
    """
    low = max(row * s.TILE + 0.5 - y, -half_height)
    high = min(row * s.TILE + s.TILE - 0.5 - y, half_height)
    if low > high:
        return 0, 0
    determinant = a * c - b * b
    tip = b * half_width / c
    up = min(max(-tip, low), high)
    down = min(max(tip, low), high)
    right = (-b * up + math.sqrt(max(a * q_cut - determinant * up * up, 0.0))) / a
    left = (-b * down - math.sqrt(max(a * q_cut - determinant * down * down, 0.0))) / a
    # a column is reached when one of its pixel centres is; half a pixel of slack covers rounding
    first = int(math.floor((x + left - 1e-3 - 0.5) / s.TILE))
    last = int(math.floor((x + right + 1e-3 - 0.5) / s.TILE))
    if x + left > first * s.TILE + s.TILE - 0.5 + 1e-3:
        first += 1
    return max(first, 0), min(last + 1, columns)


@njit(inline="always")
def _columns(record, box, row, columns):
    width, height = box[1] - box[0], box[3] - box[2]
    if width <= 1 or height <= 1 or (width == 2 and height == 2):
        # most splats: finding out costs more than the one corner in twenty that it would save, and
        # the record, which lies anywhere in memory, need not be read
        return np.int64(box[0]), np.int64(box[1])
    return tile_columns(
        np.float64(record[s.CONIC_A]),
        np.float64(record[s.CONIC_B]),
        np.float64(record[s.CONIC_C]),
        np.float64(record[s.Q_CUT]),
        record[s.X_WHOLE] + np.float64(record[s.X_PART]),
        record[s.Y_WHOLE] + np.float64(record[s.Y_PART]),
        np.float64(record[s.HALF_WIDTH]),
        np.float64(record[s.HALF_HEIGHT]),
        row,
        columns,
    )


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def count_tiles(records, boxes, order, columns, histogram):
    """Tiles reached by each chunk of `order (v,)`, into `histogram (CHUNKS, tiles)`; pairs by splat
    into `boxes (n, BOX)`, whose ranges of tile columns and rows come from the projection."""
    pairs = boxes.view(np.int64)
    size = (len(order) + CHUNKS - 1) // CHUNKS
    for chunk in prange(CHUNKS):
        histogram[chunk, :] = 0
        for j in range(chunk * size, min(len(order), (chunk + 1) * size)):
            if j + s.AHEAD < len(order):
                prefetch(boxes, order[j + s.AHEAD] * BOX)
            splat = order[j]
            box = boxes[splat]
            touched = 0
            for row in range(box[2], box[3]):
                first, end = _columns(records[splat], box, row, columns)
                for column in range(first, end):
                    histogram[chunk, row * columns + column] += 1
                    touched += 1
            pairs[splat, FIRST_PAIR] = touched


@njit(nogil=True, cache=True)
def tile_offsets(histogram, tile_start):
    """Turn counts into places: `tile_start (tiles + 1,)`, and where each chunk writes within a
    tile."""
    total = 0
    for tile in range(histogram.shape[1]):
        tile_start[tile] = total
        for chunk in range(CHUNKS):
            here = histogram[chunk, tile]
            histogram[chunk, tile] = total
            total += here
    tile_start[histogram.shape[1]] = total


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def fill_tiles(records, boxes, order, columns, histogram, splat_of, pair_of):
    """Scatter every (tile, splat) pair: `splat_of (p,)` in tile order and `pair_of (p,)`, its row
    of gradients."""
    pairs = boxes.view(np.int64)
    size = (len(order) + CHUNKS - 1) // CHUNKS
    for chunk in prange(CHUNKS):
        for j in range(chunk * size, min(len(order), (chunk + 1) * size)):
            if j + s.AHEAD < len(order):
                prefetch(boxes, order[j + s.AHEAD] * BOX)
            splat = order[j]
            box = boxes[splat]
            pair = pairs[splat, FIRST_PAIR]
            for row in range(box[2], box[3]):
                first, end = _columns(records[splat], box, row, columns)
                for column in range(first, end):
                    tile = row * columns + column
                    place = histogram[chunk, tile]
                    histogram[chunk, tile] = place + 1
                    # two lines on in the tile's lists: to write what is far away waits for it, too
                    prefetch(splat_of, place + 32)
                    prefetch(pair_of, place + 16)
                    splat_of[place] = splat
                    pair_of[place] = pair
                    pair += 1
