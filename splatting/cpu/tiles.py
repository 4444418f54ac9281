"""Tile lists in depth order: one radix sort of the visible splats, then a counting sort into tiles.

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
_DIGIT_BITS = 11
_DIGITS = 1 << _DIGIT_BITS


@njit(nogil=True, cache=True)
def compact(drawn, visible):
    """Ids where `drawn (n,)` is true into `visible`, rising; returns how many."""
    count = 0
    for i in range(len(drawn)):
        if drawn[i]:
            visible[count] = i
            count += 1
    return count


@njit(nogil=True, cache=True)
def depth_order(depths, visible, order, keys, scratch_order, scratch_keys):
    """Places in `visible (v,)` sorted by the splats' depth, nearest first, into `order (v,)`.

    A stable least-significant-digit radix sort: the bits of a positive float32 rank as it does.
    """
    count = len(visible)
    bits = depths.view(np.uint32)
    for j in range(count):
        order[j] = j
        keys[j] = bits[visible[j]]
    histogram = np.empty(_DIGITS, np.int64)
    from_keys, from_order, to_keys, to_order = keys, order, scratch_keys, scratch_order
    for step in range(3):
        shift = np.uint32(step * _DIGIT_BITS)
        histogram[:] = 0
        for j in range(count):
            histogram[(from_keys[j] >> shift) & np.uint32(_DIGITS - 1)] += 1
        total = 0
        for digit in range(_DIGITS):
            here = histogram[digit]
            histogram[digit] = total
            total += here
        for j in range(count):
            digit = (from_keys[j] >> shift) & np.uint32(_DIGITS - 1)
            place = histogram[digit]
            histogram[digit] = place + 1
            to_keys[place] = from_keys[j]
            to_order[place] = from_order[j]
        from_keys, from_order, to_keys, to_order = to_keys, to_order, from_keys, from_order
    # an odd number of passes ends in the scratch
    order[:] = from_order


@njit(nogil=True, cache=True)
def pair_offsets(pairs, pair_start):
    """Running sum of `pairs (v,)` into `pair_start (v + 1,)`; returns the number of pairs."""
    total = 0
    for j in range(len(pairs)):
        pair_start[j] = total
        total += pairs[j]
    pair_start[len(pairs)] = total
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


@njit(inline="always")
def _ask(order, visible, boxes, by_splat, j):
    """Ask for what splats after place `j` of `order` need: in depth order they lie anywhere."""
    if j + 2 * s.AHEAD < len(order):
        later = order[j + 2 * s.AHEAD]
        prefetch(visible, later)
        prefetch(by_splat, later)
        prefetch(boxes, visible[order[j + s.AHEAD]] * boxes.shape[1])


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def count_tiles(records, boxes, visible, order, columns, histogram, pairs):
    """Tiles reached by each chunk of `order`, into `histogram (CHUNKS, tiles)`; `pairs (v,)` by
    splat. `boxes (n, 4)` are ranges of tile columns and rows (see `tile_range`)."""
    size = (len(visible) + CHUNKS - 1) // CHUNKS
    for chunk in prange(CHUNKS):
        histogram[chunk, :] = 0
        for j in range(chunk * size, min(len(visible), (chunk + 1) * size)):
            _ask(order, visible, boxes, pairs, j)
            splat = visible[order[j]]
            box = boxes[splat]
            touched = 0
            for row in range(box[2], box[3]):
                first, end = _columns(records[splat], box, row, columns)
                for column in range(first, end):
                    histogram[chunk, row * columns + column] += 1
                    touched += 1
            pairs[order[j]] = touched


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
def fill_tiles(records, boxes, visible, order, pair_start, columns, histogram, splat_of, pair_of):
    """Scatter every (tile, splat) pair: `splat_of (p,)` in tile order and `pair_of (p,)`, its row
    of gradients."""
    size = (len(visible) + CHUNKS - 1) // CHUNKS
    for chunk in prange(CHUNKS):
        for j in range(chunk * size, min(len(visible), (chunk + 1) * size)):
            _ask(order, visible, boxes, pair_start, j)
            splat = visible[order[j]]
            box = boxes[splat]
            pair = pair_start[order[j]]
            for row in range(box[2], box[3]):
                first, end = _columns(records[splat], box, row, columns)
                for column in range(first, end):
                    tile = row * columns + column
                    place = histogram[chunk, tile]
                    histogram[chunk, tile] = place + 1
                    splat_of[place] = splat
                    pair_of[place] = pair
                    pair += 1
