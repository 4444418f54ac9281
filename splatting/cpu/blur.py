"""The window of SSIM over rows of pixels that lie in memory as runs of numbers: 11 taps of a
Gaussian of sigma 1.5, zeros beyond the border.

Rows are blurred along y four at a time, so that each row of the picture is fetched for four of
them, and then along x. Where registers hold few vectors (see `simd.registers`) one map at a time is
blurred along y, and shifted copies of a row come from memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numba.extending import overload

from simd.lane_memory import load, load_part, prefetch, spread_at, store
from simd.lanes import COUNT, FLAGS, intrinsic, lanes, shuffle, splat, spread
from simd.registers import ROOMY

f32 = np.float32

RADIUS = 5
CHANNELS = 3
ROWS = 4
"""Rows that are blurred together."""
RING = 16
"""Rows of slopes that are kept: four are compared together, and the gradient of four rows asks for
five more on either side. A power of two."""

_offsets = np.arange(-RADIUS, RADIUS + 1)
_gaussian = np.exp(-(_offsets**2) / (2 * 1.5**2))
TAPS = (_gaussian / _gaussian.sum()).astype(np.float32)
STAGGERED = np.concatenate([np.zeros(ROWS - 1, np.float32), TAPS, np.zeros(ROWS - 1, np.float32)])
"""Tap of the k-th of 14 rows for the o-th of four: at 3 + k - o."""
_T0, _T1, _T2, _T3, _T4, _T5 = (f32(tap) for tap in TAPS[RADIUS:])


@njit(error_model="numpy", nogil=True, cache=True)
def padded(columns):
    """A row's length in whole lanes."""
    return (columns + COUNT - 1) // COUNT * COUNT


def blur_along_x(left, middle, right):
    """The blur of sixteen numbers of a row, from them and the sixteen on either side."""
    run = np.concatenate([left, middle, right])
    shifts = COUNT + CHANNELS * _offsets
    return sum(tap * run[k : k + COUNT] for tap, k in zip(TAPS, shifts, strict=True))


@intrinsic
def _blur_along_x(typing, left, middle, right):
    def code(context, builder, signature, given):
        left, middle, right = given

        def shifted(k: int) -> Any:
            if k < 0:
                return shuffle(builder, left, middle, list(range(COUNT + k, 2 * COUNT + k)))
            return shuffle(builder, middle, right, list(range(k, COUNT + k)))

        total = builder.fmul(middle, splat(TAPS[RADIUS]), flags=FLAGS)
        for k in range(1, RADIUS + 1):
            pair = builder.fadd(shifted(-CHANNELS * k), shifted(CHANNELS * k), flags=FLAGS)
            term = builder.fmul(pair, splat(TAPS[RADIUS + k]), flags=FLAGS)
            total = builder.fadd(total, term, flags=FLAGS)
        return total

    return lanes(lanes, lanes, lanes), code


@overload(blur_along_x)
def _blur_along_x_overload(left, middle, right):
    return lambda left, middle, right: _blur_along_x(left, middle, right)


@njit(error_model="numpy", nogil=True, cache=True)
def _window(y, rows):
    """First and past-last of the 14 rows around the group that begins at `y` which exist."""
    return max(RADIUS - y, 0), min(rows + RADIUS - y, ROWS + 2 * RADIUS)


@njit(error_model="numpy", nogil=True, cache=True)
def moments_at_once(render, photo, y, rows, columns, taps, lines):
    """p, q, p^2 + q^2 and p q blurred along y for four rows from `y`: lines 4 m + o. The rows that
    the next four ask for are fetched meanwhile."""
    first, end = _window(y, rows)
    zero = spread(f32(0))
    for x in range(0, columns, COUNT):
        for ahead in range(y + ROWS + RADIUS, y + 2 * ROWS + RADIUS):
            prefetch(render, ahead * columns + x)
            prefetch(photo, ahead * columns + x)
        p0, p1, p2, p3 = zero, zero, zero, zero
        q0, q1, q2, q3 = zero, zero, zero, zero
        s0, s1, s2, s3 = zero, zero, zero, zero
        pq0, pq1, pq2, pq3 = zero, zero, zero, zero
        for k in range(first, end):
            at = (y - RADIUS + k) * columns + x
            p = load_part(render, at, columns - x)
            q = load_part(photo, at, columns - x)
            s, pq = p * p + q * q, p * q
            t0, t1 = spread_at(taps, 3 + k), spread_at(taps, 2 + k)
            t2, t3 = spread_at(taps, 1 + k), spread_at(taps, k)
            p0, p1, p2, p3 = p0 + p * t0, p1 + p * t1, p2 + p * t2, p3 + p * t3
            q0, q1, q2, q3 = q0 + q * t0, q1 + q * t1, q2 + q * t2, q3 + q * t3
            s0, s1, s2, s3 = s0 + s * t0, s1 + s * t1, s2 + s * t2, s3 + s * t3
            pq0, pq1, pq2, pq3 = pq0 + pq * t0, pq1 + pq * t1, pq2 + pq * t2, pq3 + pq * t3
        _store_four(lines, 0, x, p0, p1, p2, p3)
        _store_four(lines, 4, x, q0, q1, q2, q3)
        _store_four(lines, 8, x, s0, s1, s2, s3)
        _store_four(lines, 12, x, pq0, pq1, pq2, pq3)


@njit(error_model="numpy", nogil=True, cache=True)
def _store_four(lines, line, x, a, b, c, d):
    store(lines[line], COUNT + x, a)
    store(lines[line + 1], COUNT + x, b)
    store(lines[line + 2], COUNT + x, c)
    store(lines[line + 3], COUNT + x, d)


@njit(error_model="numpy", nogil=True, cache=True)
def moments_in_turn(render, photo, y, rows, columns, taps, lines):
    """The same, one after the other."""
    _along_y(render, None, None, y, rows, columns, taps, lines, 0)
    _along_y(photo, None, None, y, rows, columns, taps, lines, 4)
    _along_y(render, render, photo, y, rows, columns, taps, lines, 8)
    _along_y(render, photo, None, y, rows, columns, taps, lines, 12)


moments_along_y = moments_at_once if ROOMY else moments_in_turn


@njit(error_model="numpy", nogil=True, cache=True)
def _along_y(image, factor, other, y, rows, columns, taps, lines, line):
    """`image`, times `factor` and plus the square of `other` where those are not None, blurred
    along y for four rows from `y` into four lines."""
    first, end = _window(y, rows)
    for x in range(0, columns, COUNT):
        a, b, c, d = spread(f32(0)), spread(f32(0)), spread(f32(0)), spread(f32(0))
        for k in range(first, end):
            at = (y - RADIUS + k) * columns + x
            value = load_part(image, at, columns - x)
            if factor is not None:
                value = value * load_part(factor, at, columns - x)
            if other is not None:
                beside = load_part(other, at, columns - x)
                value = value + beside * beside
            a = a + value * spread_at(taps, 3 + k)
            b = b + value * spread_at(taps, 2 + k)
            c = c + value * spread_at(taps, 1 + k)
            d = d + value * spread_at(taps, k)
        _store_four(lines, line, x, a, b, c, d)


@njit(error_model="numpy", nogil=True, cache=True)
def slopes_at_once(ring, y, rows, columns, taps, lines):
    """Three maps, of which row r lies at r % RING in whole lanes, blurred along y for four rows
    from `y`: lines 4 m + o."""
    first, end = _window(y, rows)
    stride = padded(columns)
    zero = spread(f32(0))
    for x in range(0, columns, COUNT):
        a0, a1, a2, a3 = zero, zero, zero, zero
        b0, b1, b2, b3 = zero, zero, zero, zero
        c0, c1, c2, c3 = zero, zero, zero, zero
        for k in range(first, end):
            at = ((y - RADIUS + k) & (RING - 1)) * stride + x
            a, b, c = load(ring[0], at), load(ring[1], at), load(ring[2], at)
            t0, t1 = spread_at(taps, 3 + k), spread_at(taps, 2 + k)
            t2, t3 = spread_at(taps, 1 + k), spread_at(taps, k)
            a0, a1, a2, a3 = a0 + a * t0, a1 + a * t1, a2 + a * t2, a3 + a * t3
            b0, b1, b2, b3 = b0 + b * t0, b1 + b * t1, b2 + b * t2, b3 + b * t3
            c0, c1, c2, c3 = c0 + c * t0, c1 + c * t1, c2 + c * t2, c3 + c * t3
        _store_four(lines, 0, x, a0, a1, a2, a3)
        _store_four(lines, 4, x, b0, b1, b2, b3)
        _store_four(lines, 8, x, c0, c1, c2, c3)


@njit(error_model="numpy", nogil=True, cache=True)
def slopes_in_turn(ring, y, rows, columns, taps, lines):
    """The same, one after the other."""
    first, end = _window(y, rows)
    stride = padded(columns)
    for m in range(3):
        for x in range(0, columns, COUNT):
            a, b, c, d = spread(f32(0)), spread(f32(0)), spread(f32(0)), spread(f32(0))
            for k in range(first, end):
                at = ((y - RADIUS + k) & (RING - 1)) * stride + x
                value = load(ring[m], at)
                a = a + value * spread_at(taps, 3 + k)
                b = b + value * spread_at(taps, 2 + k)
                c = c + value * spread_at(taps, 1 + k)
                d = d + value * spread_at(taps, k)
            _store_four(lines, ROWS * m, x, a, b, c, d)


slopes_along_y = slopes_at_once if ROOMY else slopes_in_turn


@njit(error_model="numpy", nogil=True, cache=True)
def along_x_by_shuffles(line, x):
    """Blur along x at 16 places from `x` of a line that begins with COUNT zeros."""
    return blur_along_x(load(line, x), load(line, x + COUNT), load(line, x + 2 * COUNT))


@njit(error_model="numpy", nogil=True, cache=True)
def along_x_by_loads(line, x):
    """The same."""
    at = x + COUNT
    total = load(line, at) * _T0
    total = total + (load(line, at - 3) + load(line, at + 3)) * _T1
    total = total + (load(line, at - 6) + load(line, at + 6)) * _T2
    total = total + (load(line, at - 9) + load(line, at + 9)) * _T3
    total = total + (load(line, at - 12) + load(line, at + 12)) * _T4
    return total + (load(line, at - 15) + load(line, at + 15)) * _T5


along_x = along_x_by_shuffles if ROOMY else along_x_by_loads
