"""The training loss L1 + D-SSIM, its value and its gradient in two passes over the rows.

SSIM (Wang et al. 2004) with the window of 3DGS: 11 taps, sigma 1.5, zeros beyond the border. A row
of pixels is taken as one run of 3 w floats, so that a blur along x is a sum of shifted copies and a
blur along y a sum of rows: both are straight SIMD. The gradient needs no second look at the photos,
because the blur is its own transpose.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float32
from numba import njit, prange
from numba.extending import overload

from simd.lane_memory import load, load_part, spread_at, store, store_part, store_sums
from simd.lanes import (
    COUNT,
    FLAGS,
    absolute,
    first_lanes,
    intrinsic,
    lanes,
    shuffle,
    splat,
    spread,
    where,
)
from simd.threads import guarded

f32 = np.float32

RADIUS = 5
CHANNELS = 3
ROWS = 4
"""Rows that are blurred together: each row of the picture is then fetched for four of them."""
C1, C2 = f32(0.01**2), f32(0.03**2)

_offsets = np.arange(-RADIUS, RADIUS + 1)
_gaussian = np.exp(-(_offsets**2) / (2 * 1.5**2))
TAPS = (_gaussian / _gaussian.sum()).astype(np.float32)
_STAGGERED = np.concatenate([np.zeros(ROWS - 1, np.float32), TAPS, np.zeros(ROWS - 1, np.float32)])
"""Tap of the k-th of 14 rows for the o-th of four: at 3 + k - o."""


class SsimWorkspace:
    """Buffers for pictures up to the largest seen."""

    def __init__(self) -> None:
        self._buffer = np.empty(0, np.float32)

    def take(self, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
        """Three maps of slopes, flat with rows in whole lanes, and two sums a row."""
        plane = rows * padded(columns)
        if self._buffer.size < 3 * plane + 2 * rows:
            self._buffer = np.empty(3 * plane + 2 * rows, np.float32)
        sums = self._buffer[3 * plane : 3 * plane + 2 * rows]
        return self._buffer[: 3 * plane].reshape(3, plane), sums.reshape(2, rows)


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
def _blur_moments(render, photo, y, rows, columns, taps, lines):
    """p, q, p^2, q^2 and p q blurred along y for four rows from `y`: lines 4 m + o."""
    first, end = _window(y, rows)
    zero = spread(f32(0))
    for x in range(0, columns, COUNT):
        p0, p1, p2, p3 = zero, zero, zero, zero
        q0, q1, q2, q3 = zero, zero, zero, zero
        pp0, pp1, pp2, pp3 = zero, zero, zero, zero
        qq0, qq1, qq2, qq3 = zero, zero, zero, zero
        pq0, pq1, pq2, pq3 = zero, zero, zero, zero
        for k in range(first, end):
            at = (y - RADIUS + k) * columns + x
            p = load_part(render, at, columns - x)
            q = load_part(photo, at, columns - x)
            pp, qq, pq = p * p, q * q, p * q
            t0, t1 = spread_at(taps, 3 + k), spread_at(taps, 2 + k)
            t2, t3 = spread_at(taps, 1 + k), spread_at(taps, k)
            p0, p1, p2, p3 = p0 + p * t0, p1 + p * t1, p2 + p * t2, p3 + p * t3
            q0, q1, q2, q3 = q0 + q * t0, q1 + q * t1, q2 + q * t2, q3 + q * t3
            pp0, pp1, pp2, pp3 = pp0 + pp * t0, pp1 + pp * t1, pp2 + pp * t2, pp3 + pp * t3
            qq0, qq1, qq2, qq3 = qq0 + qq * t0, qq1 + qq * t1, qq2 + qq * t2, qq3 + qq * t3
            pq0, pq1, pq2, pq3 = pq0 + pq * t0, pq1 + pq * t1, pq2 + pq * t2, pq3 + pq * t3
        _store_four(lines, 0, x, p0, p1, p2, p3)
        _store_four(lines, 4, x, q0, q1, q2, q3)
        _store_four(lines, 8, x, pp0, pp1, pp2, pp3)
        _store_four(lines, 12, x, qq0, qq1, qq2, qq3)
        _store_four(lines, 16, x, pq0, pq1, pq2, pq3)


@njit(error_model="numpy", nogil=True, cache=True)
def _store_four(lines, line, x, a, b, c, d):
    store(lines[line], COUNT + x, a)
    store(lines[line + 1], COUNT + x, b)
    store(lines[line + 2], COUNT + x, c)
    store(lines[line + 3], COUNT + x, d)


@njit(error_model="numpy", nogil=True, cache=True)
def _blurred(line, x):
    """Blur along x at 16 places from `x` of a line that begins with COUNT zeros."""
    return blur_along_x(load(line, x), load(line, x + COUNT), load(line, x + 2 * COUNT))


@njit(error_model="numpy", nogil=True, cache=True)
def _compare_row(render, photo, y, columns, lines, offset, slopes, sums):
    """SSIM and L1 of row `y` into `sums (2, h)`, and the slopes of SSIM by the moments."""
    similarity, distance = spread(f32(0)), spread(f32(0))
    for x in range(0, columns, COUNT):
        mean_p, mean_q = _blurred(lines[offset], x), _blurred(lines[4 + offset], x)
        var_p = _blurred(lines[8 + offset], x) - mean_p * mean_p
        var_q = _blurred(lines[12 + offset], x) - mean_q * mean_q
        cov = _blurred(lines[16 + offset], x) - mean_p * mean_q
        above = mean_p * mean_q * f32(2) + C1
        beside = cov * f32(2) + C2
        below = mean_p * mean_p + mean_q * mean_q + C1
        varied = var_p + var_q + C2
        inverse = f32(1) / (below * varied)
        ssim = above * beside * inverse
        inside = first_lanes(columns - x)
        similarity = similarity + where(inside, ssim, f32(0))
        p = load_part(render, y * columns + x, columns - x)
        q = load_part(photo, y * columns + x, columns - x)
        distance = distance + absolute(p - q)
        # by the blurred moments E[p], E[p^2] and E[p q], with the variances written out
        by_square = ssim * below * inverse * f32(-1)
        by_product = above * inverse * f32(2)
        by_mean = (
            mean_q * beside * inverse * f32(2)
            - mean_p * ssim * varied * inverse * f32(2)
            - mean_p * by_square * f32(2)
            - mean_q * by_product
        )
        at = y * padded(columns) + x
        store(slopes[0], at, where(inside, by_mean, f32(0)))
        store(slopes[1], at, where(inside, by_square, f32(0)))
        store(slopes[2], at, where(inside, by_product, f32(0)))
    store_sums(sums[0], y, (similarity,))
    store_sums(sums[1], y, (distance,))


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _compare(render, photo, columns, taps, slopes, sums):
    """SSIM and L1 of each row into `sums (2, h)`; the slopes of SSIM by the three moments of p into
    `slopes (3, h * stride)`."""
    rows = sums.shape[1]
    for group in prange((rows + ROWS - 1) // ROWS):
        y = group * ROWS
        lines = np.zeros((5 * ROWS, padded(columns) + 2 * COUNT), np.float32)
        _blur_moments(render, photo, y, rows, columns, taps, lines)
        for offset in range(min(ROWS, rows - y)):
            _compare_row(render, photo, y + offset, columns, lines, offset, slopes, sums)


@njit(error_model="numpy", nogil=True, cache=True)
def _blur_slopes(slopes, y, rows, columns, taps, lines):
    """The three maps blurred along y for four rows from `y`: lines 4 m + o."""
    first, end = _window(y, rows)
    stride = padded(columns)
    for m in range(3):
        plane = slopes[m]
        for x in range(0, columns, COUNT):
            s0, s1, s2, s3 = spread(f32(0)), spread(f32(0)), spread(f32(0)), spread(f32(0))
            for k in range(first, end):
                value = load(plane, (y - RADIUS + k) * stride + x)
                s0 = s0 + value * spread_at(taps, 3 + k)
                s1 = s1 + value * spread_at(taps, 2 + k)
                s2 = s2 + value * spread_at(taps, 1 + k)
                s3 = s3 + value * spread_at(taps, k)
            _store_four(lines, 4 * m, x, s0, s1, s2, s3)


@njit(error_model="numpy", nogil=True, cache=True)
def _gradient_row(render, photo, y, columns, lines, offset, by_l1, by_ssim, gradient):
    for x in range(0, columns, COUNT):
        at = y * columns + x
        p, q = load_part(render, at, columns - x), load_part(photo, at, columns - x)
        similar = (
            _blurred(lines[offset], x)
            + p * _blurred(lines[4 + offset], x) * f32(2)
            + q * _blurred(lines[8 + offset], x)
        )
        side = where(p > q, f32(1), where(p < q, f32(-1), f32(0)))
        slope = side * by_l1 + similar * by_ssim
        store_part(gradient, at, columns - x, slope)


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _gradient(render, photo, rows, columns, taps, slopes, dssim_weight, gradient):
    """dL/dp = (1 - w) sign(p - q) / n - w (blur(by_mean) + 2 p blur(by_square) + q
    blur(by_product)) / n."""
    by_l1 = f32((1.0 - dssim_weight) / (rows * columns))
    by_ssim = f32(-dssim_weight / (rows * columns))
    for group in prange((rows + ROWS - 1) // ROWS):
        y = group * ROWS
        lines = np.zeros((3 * ROWS, padded(columns) + 2 * COUNT), np.float32)
        _blur_slopes(slopes, y, rows, columns, taps, lines)
        for offset in range(min(ROWS, rows - y)):
            _gradient_row(
                render, photo, y + offset, columns, lines, offset, by_l1, by_ssim, gradient
            )


def l1_dssim(
    render: Float32[np.ndarray, "h w 3"],
    photo: Float32[np.ndarray, "h w 3"],
    dssim_weight: float,
    grad_out: Float32[np.ndarray, "h w 3"],
    workspace: SsimWorkspace,
) -> tuple[float, float, float]:
    """Loss (1 - w) mean|p - q| + w (1 - SSIM), its two parts L1 and SSIM; dL/d(render) in
    `grad_out`."""
    rows, width, _ = render.shape
    columns = width * CHANNELS
    p, q, gradient = render.reshape(-1), photo.reshape(-1), grad_out.reshape(-1)
    slopes, sums = workspace.take(rows, columns)
    _compare(p, q, columns, _STAGGERED, slopes, sums)
    _gradient(p, q, rows, columns, _STAGGERED, slopes, dssim_weight, gradient)
    similarity, l1 = sums.astype(np.float64).sum(axis=1) / render.size
    loss = (1.0 - dssim_weight) * l1 + dssim_weight * (1.0 - similarity)
    return float(loss), float(l1), float(similarity)
