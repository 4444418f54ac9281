"""Rows of numbers times a matrix, six rows and sixteen columns at a time: what every encoder of
points spends its time on.

Twelve vectors of sums stay in registers (AVX2 has sixteen) while a row of the matrix goes by. Where
only the maximum over points is wanted it is taken there, so that points x columns is never written.

A matrix (k, e) is kept as panels (e / 16, k, 16), flat, its columns filled up with zeros.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int8, Shaped, UInt16
from numba import njit

from simd.lane_memory import load, spread_at, store
from simd.lanes import COUNT, maximum, spread

f32 = np.float32
ROWS = 6
"""Rows at a time; their number is a multiple of it."""
_LARGEST = 127
"""What the largest weight of a column becomes in bytes."""


def panels(matrix: Shaped[np.ndarray, "k e"]) -> Shaped[np.ndarray, "n"]:
    """`matrix` as the loops here read it."""
    k, columns = matrix.shape
    wide = np.zeros((k, padded(columns)), matrix.dtype)
    wide[:, :columns] = matrix
    return np.ascontiguousarray(wide.reshape(k, -1, COUNT).transpose(1, 0, 2)).reshape(-1)


def in_halves(
    numbers: Float32[np.ndarray, "n"],
) -> Float32[np.ndarray, "n"] | UInt16[np.ndarray, "n"]:
    """The bits of `numbers` as float16 where that loses nothing, as with files written in half
    precision: half the memory, and half the way from there."""
    with np.errstate(over="ignore"):
        halves = numbers.astype(np.float16)
    return halves.view(np.uint16) if np.array_equal(halves.astype(f32), numbers) else numbers


def in_bytes(
    matrix: Float32[np.ndarray, "k e"],
) -> tuple[Int8[np.ndarray, "k e"], Float32[np.ndarray, "e"]]:
    """`matrix` in numbers from -127 to 127, and the positive factor of each column of them."""
    scale = np.abs(matrix).max(0) / f32(_LARGEST)
    scale[scale == 0] = 1
    return np.rint(matrix / scale).astype(np.int8), scale


def padded(columns: int) -> int:
    """The next multiple of sixteen."""
    return -(-columns // COUNT) * COUNT


@njit(error_model="numpy", nogil=True, cache=True)
def mix_six(rows, at, stride, weights, panel, listed, count):
    """Sums over `count` numbers of each of six rows from `at` on, `stride` apart; number j
    multiplies row `listed[j]` of the matrix."""
    a = b = c = d = e = f = spread(f32(0))
    for j in range(count):
        w = load(weights, (panel + listed[j]) * COUNT)
        here = at + j
        a = a + w * spread_at(rows, here)
        b = b + w * spread_at(rows, here + stride)
        c = c + w * spread_at(rows, here + 2 * stride)
        d = d + w * spread_at(rows, here + 3 * stride)
        e = e + w * spread_at(rows, here + 4 * stride)
        f = f + w * spread_at(rows, here + 5 * stride)
    return a, b, c, d, e, f


@njit(error_model="numpy", nogil=True, cache=True)
def mix_max(rows, points, stride, weights, depth, listed, count, best):
    """Raise `best (e,)` to the largest of each column over `points` rows.

    Each row has `count` numbers, for the rows `listed` of a matrix of `depth` rows.
    """
    for block in range(len(best) // COUNT):
        top = load(best, block * COUNT)
        for p in range(0, points, ROWS):
            a, b, c, d, e, f = mix_six(
                rows, p * stride, stride, weights, block * depth, listed, count
            )
            top = maximum(top, maximum(maximum(a, b), maximum(maximum(c, d), maximum(e, f))))
        store(best, block * COUNT, top)


@njit(error_model="numpy", nogil=True, cache=True)
def mix_relu(rows, points, stride, weights, depth, listed, bias, made):
    """Write max(0, row times matrix + bias) of every row to `made`, whose stride is that of
    `bias`."""
    wide = len(bias)
    for block in range(wide // COUNT):
        shift = load(bias, block * COUNT)
        for p in range(0, points, ROWS):
            a, b, c, d, e, f = mix_six(
                rows, p * stride, stride, weights, block * depth, listed, depth
            )
            at = p * wide + block * COUNT
            store(made, at, maximum(a + shift, f32(0)))
            store(made, at + wide, maximum(b + shift, f32(0)))
            store(made, at + 2 * wide, maximum(c + shift, f32(0)))
            store(made, at + 3 * wide, maximum(d + shift, f32(0)))
            store(made, at + 4 * wide, maximum(e + shift, f32(0)))
            store(made, at + 5 * wide, maximum(f + shift, f32(0)))
