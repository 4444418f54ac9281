"""Rows of numbers times a matrix, six rows and sixteen columns at a time: what every encoder of
points spends its time on.

Twelve vectors of sums stay in registers (AVX2 has sixteen) while a row of the matrix goes by; with
AVX-512 they are half as many, so that thirty-two columns are done at a time. Where
only the maximum over points is wanted it is taken there, so that points x columns is never written.

A matrix (k, e) is kept as panels (e / 16, k, 16), flat, its columns filled up with zeros.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int8, Shaped, UInt16
from numba import njit

from simd.lane_memory import load, spread_at, store
from simd.lanes import COUNT, maximum, spread
from simd.registers import ROOMY

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
def mix_twelve(rows, at, stride, weights, panel, depth, listed, count):
    """The same of two panels of `depth` rows next to each other: six sums of each."""
    a = b = c = d = e = f = spread(f32(0))
    g = h = i = k = m = n = spread(f32(0))
    for j in range(count):
        place = (panel + listed[j]) * COUNT
        w, v = load(weights, place), load(weights, place + depth * COUNT)
        here = at + j
        x = spread_at(rows, here)
        a, g = a + w * x, g + v * x
        x = spread_at(rows, here + stride)
        b, h = b + w * x, h + v * x
        x = spread_at(rows, here + 2 * stride)
        c, i = c + w * x, i + v * x
        x = spread_at(rows, here + 3 * stride)
        d, k = d + w * x, k + v * x
        x = spread_at(rows, here + 4 * stride)
        e, m = e + w * x, m + v * x
        x = spread_at(rows, here + 5 * stride)
        f, n = f + w * x, n + v * x
    return a, b, c, d, e, f, g, h, i, k, m, n


@njit(error_model="numpy", nogil=True, cache=True)
def _largest_of_six(top, a, b, c, d, e, f):
    return maximum(top, maximum(maximum(a, b), maximum(maximum(c, d), maximum(e, f))))


@njit(error_model="numpy", nogil=True, cache=True)
def mix_max(rows, points, stride, weights, depth, listed, count, best):
    """Raise `best (e,)` to the largest of each column over `points` rows.

    Each row has `count` numbers, for the rows `listed` of a matrix of `depth` rows.
    """
    blocks = len(best) // COUNT
    pairs = blocks // 2 if ROOMY else 0
    for pair in range(pairs):
        place = 2 * pair * COUNT
        top, right = load(best, place), load(best, place + COUNT)
        for p in range(0, points, ROWS):
            a, b, c, d, e, f, g, h, i, k, m, n = mix_twelve(
                rows, p * stride, stride, weights, 2 * pair * depth, depth, listed, count
            )
            top = _largest_of_six(top, a, b, c, d, e, f)
            right = _largest_of_six(right, g, h, i, k, m, n)
        store(best, place, top)
        store(best, place + COUNT, right)
    for block in range(2 * pairs, blocks):
        top = load(best, block * COUNT)
        for p in range(0, points, ROWS):
            a, b, c, d, e, f = mix_six(
                rows, p * stride, stride, weights, block * depth, listed, count
            )
            top = _largest_of_six(top, a, b, c, d, e, f)
        store(best, block * COUNT, top)


@njit(error_model="numpy", nogil=True, cache=True)
def store_six(made, at, wide, by, shift, least, sums):
    """Write max(least, sum times `by` + `shift`) of six rows, `wide` apart."""
    a, b, c, d, e, f = sums
    store(made, at, maximum(a * by + shift, least))
    store(made, at + wide, maximum(b * by + shift, least))
    store(made, at + 2 * wide, maximum(c * by + shift, least))
    store(made, at + 3 * wide, maximum(d * by + shift, least))
    store(made, at + 4 * wide, maximum(e * by + shift, least))
    store(made, at + 5 * wide, maximum(f * by + shift, least))


@njit(error_model="numpy", nogil=True, cache=True)
def mix_rows(rows, points, stride, weights, depth, listed, bias, least, made):
    """Write max(least, row times matrix + bias) of every row to `made`, whose stride is that of
    `bias`."""
    wide = len(bias)
    blocks = wide // COUNT
    pairs = blocks // 2 if ROOMY else 0
    one = spread(f32(1))
    for pair in range(pairs):
        place = 2 * pair * COUNT
        shift, beside = load(bias, place), load(bias, place + COUNT)
        for p in range(0, points, ROWS):
            a, b, c, d, e, f, g, h, i, k, m, n = mix_twelve(
                rows, p * stride, stride, weights, 2 * pair * depth, depth, listed, depth
            )
            at = p * wide + place
            store_six(made, at, wide, one, shift, least, (a, b, c, d, e, f))
            store_six(made, at + COUNT, wide, one, beside, least, (g, h, i, k, m, n))
    for block in range(2 * pairs, blocks):
        shift = load(bias, block * COUNT)
        for p in range(0, points, ROWS):
            sums = mix_six(rows, p * stride, stride, weights, block * depth, listed, depth)
            store_six(made, p * wide + block * COUNT, wide, one, shift, least, sums)
