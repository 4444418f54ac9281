"""Which row's product with each column of a matrix is largest, of numbers in bfloat16; products
are summed in float32 and never written."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64, UInt16
from numba import njit, prange

from pointcloud.cpu.channels import PARTS, range_of
from pointcloud.cpu.largest import higher_of_six
from pointcloud.cpu.mixing import ROWS
from simd.half_products import PAIR, with_half_products
from simd.lane_memory import scratch, store
from simd.lanes import COUNT, spread
from simd.threads import guarded

f32 = np.float32
_SIDE = 2
"""Panels of sixteen columns that are done at a time."""


def places_of_maxima(
    x: UInt16[np.ndarray, "b n i"], weight: UInt16[np.ndarray, "o i"]
) -> Int64[np.ndarray, "b o"]:
    """The first n of each maximum over n of x weight^T, of the bits of finite bfloat16; n lies
    below 2^24."""
    batch, rows, depth = x.shape
    if rows < ROWS:
        x = x[:, np.arange(ROWS) % rows]
    if depth % PAIR:
        x, weight = (np.pad(one, [*[(0, 0)] * (one.ndim - 1), (0, 1)]) for one in (x, weight))
    blocks = -(-len(weight) // (_SIDE * COUNT))
    filled = np.zeros((blocks * _SIDE * COUNT, x.shape[2]), np.uint16)
    filled[: len(weight)] = weight
    # panels (columns / 16, depth / 2, 16, 2)
    panels = filled.reshape(-1, COUNT, x.shape[2] // PAIR, PAIR).transpose(0, 2, 1, 3)
    places = np.empty((batch, len(filled)), np.int64)
    _places(np.ascontiguousarray(x), np.ascontiguousarray(panels).reshape(-1), places)
    return places[:, : len(weight)]


@njit(error_model="numpy", nogil=True, cache=True)
def _twelve(rows, at, stride, weights, panel, pairs):
    """Sums over all numbers of six rows, `stride` apart, for two panels next to each other."""
    a = b = c = d = e = f = spread(f32(0))
    g = h = i = k = m = n = spread(f32(0))
    beside = pairs * PAIR * COUNT
    for j in range(pairs):
        left = panel + j * PAIR * COUNT
        right = left + beside
        here = at + j * PAIR
        a = with_half_products(a, rows, here, weights, left)
        g = with_half_products(g, rows, here, weights, right)
        b = with_half_products(b, rows, here + stride, weights, left)
        h = with_half_products(h, rows, here + stride, weights, right)
        c = with_half_products(c, rows, here + 2 * stride, weights, left)
        i = with_half_products(i, rows, here + 2 * stride, weights, right)
        d = with_half_products(d, rows, here + 3 * stride, weights, left)
        k = with_half_products(k, rows, here + 3 * stride, weights, right)
        e = with_half_products(e, rows, here + 4 * stride, weights, left)
        m = with_half_products(m, rows, here + 4 * stride, weights, right)
        f = with_half_products(f, rows, here + 5 * stride, weights, left)
        n = with_half_products(n, rows, here + 5 * stride, weights, right)
    return (a, b, c, d, e, f), (g, h, i, k, m, n)


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _places(x, weights, places):
    batch, rows, depth = x.shape
    columns = places.shape[1]
    flat, flat_places = x.reshape(-1), places.reshape(-1)
    for task in prange(batch * PARTS):
        b, part = task // PARTS, task % PARTS
        first, last = range_of(part, columns // (_SIDE * COUNT))
        at_rows = scratch(_SIDE * COUNT)
        for block in range(first, last):
            panel = block * _SIDE * COUNT * depth
            top, place = spread(f32(-np.inf)), spread(f32(0))
            top_right, place_right = spread(f32(-np.inf)), spread(f32(0))
            for begin in range(0, rows, ROWS):
                # the last six may be some of those before: equal numbers change nothing
                row = min(begin, rows - ROWS)
                at = (b * rows + row) * depth
                left, right = _twelve(flat, at, depth, weights, panel, depth // PAIR)
                top, place = higher_of_six(top, place, left, row)
                top_right, place_right = higher_of_six(top_right, place_right, right, row)
            store(at_rows, 0, place)
            store(at_rows, COUNT, place_right)
            here = b * columns + block * _SIDE * COUNT
            for lane in range(_SIDE * COUNT):
                flat_places[here + lane] = int(at_rows[lane])
