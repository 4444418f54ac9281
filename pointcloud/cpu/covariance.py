"""The covariance of rows: half of a product that a BLAS makes whole, from centred rows that are
never written."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32
from numba import njit, prange

from simd.lane_memory import load, scratch, spread_at, store
from simd.lanes import COUNT, spread
from simd.threads import guarded

f32 = np.float32
_PARTS = 8
"""Of the rows, each summed by one thread: a fixed number, so that sums do not depend on how many
threads there are."""
_BLOCK = 64
"""Rows that are centred at a time and stay in the first cache."""
_HEIGHT, _SIDE = 6, 2
"""Numbers and vectors whose products stay in registers while a block goes by."""


def covariance(
    rows: Float32[np.ndarray, "n i"], middle: Float32[np.ndarray, "i"]
) -> Float32[np.ndarray, "i i"]:
    """The mean over n of (row - middle) (row - middle)^T, exactly symmetric."""
    count, depth = rows.shape
    wide, high = (-(-depth // size) * size for size in (_SIDE * COUNT, _HEIGHT))
    sums = np.zeros((_PARTS, high, wide), f32)
    _sums(np.ascontiguousarray(rows), middle, sums)
    upper = np.triu(sums.sum(0)[:depth, :depth]) / f32(count)
    return upper + np.triu(upper, 1).T


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _sums(rows, middle, sums):
    count, depth = rows.shape
    _, high, wide = sums.shape
    for part in prange(_PARTS):
        block = scratch(_BLOCK * wide + _HEIGHT)
        block[:] = 0
        first, last = part * count // _PARTS, (part + 1) * count // _PARTS
        for begin in range(first, last, _BLOCK):
            size = min(_BLOCK, last - begin)
            for n in range(size):
                for i in range(depth):
                    block[n * wide + i] = rows[begin + n, i] - middle[i]
            for i in range(0, high, _HEIGHT):
                # left of the diagonal nothing is needed
                for j in range(i // (_SIDE * COUNT) * _SIDE * COUNT, wide, _SIDE * COUNT):
                    _add_block(block, size, wide, i, j, sums[part].reshape(-1))


@njit(error_model="numpy", nogil=True, cache=True)
def _add_block(block, size, wide, i, j, sums):
    """Add what `size` rows have to six rows and two vectors of columns of the sums."""
    a = b = c = d = e = f = spread(f32(0))
    g = h = k = m = o = p = spread(f32(0))
    for n in range(size):
        at = n * wide
        w, v = load(block, at + j), load(block, at + j + COUNT)
        x = spread_at(block, at + i)
        a, g = a + w * x, g + v * x
        x = spread_at(block, at + i + 1)
        b, h = b + w * x, h + v * x
        x = spread_at(block, at + i + 2)
        c, k = c + w * x, k + v * x
        x = spread_at(block, at + i + 3)
        d, m = d + w * x, m + v * x
        x = spread_at(block, at + i + 4)
        e, o = e + w * x, o + v * x
        x = spread_at(block, at + i + 5)
        f, p = f + w * x, p + v * x
    left = i * wide + j
    _add_six(sums, left, wide, (a, b, c, d, e, f))
    _add_six(sums, left + COUNT, wide, (g, h, k, m, o, p))


@njit(error_model="numpy", nogil=True, cache=True)
def _add_six(sums, at, wide, six):
    a, b, c, d, e, f = six
    store(sums, at, load(sums, at) + a)
    store(sums, at + wide, load(sums, at + wide) + b)
    store(sums, at + 2 * wide, load(sums, at + 2 * wide) + c)
    store(sums, at + 3 * wide, load(sums, at + 3 * wide) + d)
    store(sums, at + 4 * wide, load(sums, at + 4 * wide) + e)
    store(sums, at + 5 * wide, load(sums, at + 5 * wide) + f)
