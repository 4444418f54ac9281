"""The training loss L1 + D-SSIM, its value and its gradient in two passes over the rows.

SSIM (Wang et al. 2004) with the window of 3DGS: 11 taps, sigma 1.5, zeros beyond the border. A row
of pixels is taken as one run of 3 w floats, so that a blur along x is a sum of shifted copies and a
blur along y a sum of rows: both are straight SIMD. The blurred rows that a row needs stand in a
ring of eleven, which stays in the second cache. The gradient needs no second look at the photos,
because the blur is its own transpose.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32
from numba import njit, prange

from splatting.cpu.lane_memory import load, load_part, store, store_part, store_sums
from splatting.cpu.lanes import COUNT, absolute, first_lanes, spread, where
from splatting.cpu.threads import guarded

f32 = np.float32

RADIUS = 5
CHANNELS = 3
REACH = RADIUS * CHANNELS
RING = 2 * RADIUS + 1
BANDS = 16
"""Parts that the picture is cut into: fixed, so that no sum depends on the number of threads."""
C1, C2 = f32(0.01**2), f32(0.03**2)

_offsets = np.arange(-RADIUS, RADIUS + 1)
_gaussian = np.exp(-(_offsets**2) / (2 * 1.5**2))
TAPS = tuple(f32(g) for g in _gaussian / _gaussian.sum())
T0, T1, T2, T3, T4, T5 = TAPS[:6]


class SsimWorkspace:
    """Buffers for pictures up to the largest seen."""

    def __init__(self) -> None:
        self._buffer = np.empty(0, np.float32)

    def take(self, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
        """Three maps of blurred slopes, flat, with RADIUS rows of zeros above and below, and two
        sums a row."""
        stride = padded(columns)
        plane, border = (rows + 2 * RADIUS) * stride, RADIUS * stride
        if self._buffer.size < 3 * plane + 2 * rows:
            self._buffer = np.empty(3 * plane + 2 * rows, np.float32)
        slopes = self._buffer[: 3 * plane].reshape(3, plane)
        slopes[:, :border] = 0
        slopes[:, plane - border :] = 0
        return slopes, self._buffer[3 * plane : 3 * plane + 2 * rows].reshape(2, rows)


@njit(error_model="numpy", nogil=True, cache=True)
def padded(columns):
    """A row's length in whole lanes."""
    return (columns + COUNT - 1) // COUNT * COUNT


@njit(error_model="numpy", nogil=True, cache=True)
def _blur_row(line, x):
    """Blur along x at 16 places from `x` of a row that stands in `line` after COUNT zeros."""
    at = x + COUNT - REACH
    total = (load(line, at) + load(line, at + 30)) * T0
    total = total + (load(line, at + 3) + load(line, at + 27)) * T1
    total = total + (load(line, at + 6) + load(line, at + 24)) * T2
    total = total + (load(line, at + 9) + load(line, at + 21)) * T3
    total = total + (load(line, at + 12) + load(line, at + 18)) * T4
    return total + load(line, at + 15) * T5


@njit(error_model="numpy", nogil=True, cache=True)
def _blur_column(rows, row, x):
    """Blur along y at 16 places from `x`; `row (11,)` says where each row begins in `rows`."""
    total = (load(rows, row[0] + x) + load(rows, row[10] + x)) * T0
    total = total + (load(rows, row[1] + x) + load(rows, row[9] + x)) * T1
    total = total + (load(rows, row[2] + x) + load(rows, row[8] + x)) * T2
    total = total + (load(rows, row[3] + x) + load(rows, row[7] + x)) * T3
    total = total + (load(rows, row[4] + x) + load(rows, row[6] + x)) * T4
    return total + load(rows, row[5] + x) * T5


@njit(error_model="numpy", nogil=True, cache=True)
def _blur_moments(render, photo, y, columns, lines, rings, slot):
    """Row `y`: p, q, p^2, q^2 and p q, blurred along x, into place `slot` of the five rings."""
    for x in range(0, columns, COUNT):
        p = load_part(render, y * columns + x, columns - x)
        q = load_part(photo, y * columns + x, columns - x)
        store(lines[0], COUNT + x, p)
        store(lines[1], COUNT + x, q)
        store(lines[2], COUNT + x, p * p)
        store(lines[3], COUNT + x, q * q)
        store(lines[4], COUNT + x, p * q)
    for m in range(5):
        line, ring = lines[m], rings[m]
        for x in range(0, columns, COUNT):
            store(ring, slot * padded(columns) + x, _blur_row(line, x))


@njit(error_model="numpy", nogil=True, cache=True)
def _compare_row(render, photo, y, columns, rings, row, lines, sums):
    """SSIM and L1 of row `y` into `sums (2, h)`; the slopes of SSIM by the moments into the first
    three of `lines`."""
    similarity, distance = spread(f32(0)), spread(f32(0))
    for x in range(0, columns, COUNT):
        mean_p, mean_q = _blur_column(rings[0], row, x), _blur_column(rings[1], row, x)
        var_p = _blur_column(rings[2], row, x) - mean_p * mean_p
        var_q = _blur_column(rings[3], row, x) - mean_q * mean_q
        cov = _blur_column(rings[4], row, x) - mean_p * mean_q
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
        store(lines[0], COUNT + x, where(inside, by_mean, f32(0)))
        store(lines[1], COUNT + x, where(inside, by_square, f32(0)))
        store(lines[2], COUNT + x, where(inside, by_product, f32(0)))
    store_sums(sums[0], y, (similarity,))
    store_sums(sums[1], y, (distance,))


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _compare(render, photo, columns, slopes, sums):
    """SSIM and L1 of each row into `sums (2, h)`; the slopes of SSIM by the moments, blurred along
    x, into `slopes (3, (h + 10) * stride)`."""
    rows, stride = sums.shape[1], padded(columns)
    height = (rows + BANDS - 1) // BANDS
    for band in prange(BANDS):
        first, end = band * height, min((band + 1) * height, rows)
        # zeros on both sides of a row; the last place of a ring is a row beyond the border
        lines = np.zeros((5, padded(columns) + 3 * COUNT), np.float32)
        rings = np.zeros((5, (RING + 1) * stride), np.float32)
        row = np.empty(RING, np.int64)
        known = max(first - RADIUS, 0)
        for y in range(first, end):
            while known < min(y + RADIUS + 1, rows):
                _blur_moments(render, photo, known, columns, lines, rings, known % RING)
                known += 1
            for k in range(RING):
                other = y + k - RADIUS
                row[k] = (other % RING if 0 <= other < rows else RING) * stride
            _compare_row(render, photo, y, columns, rings, row, lines, sums)
            for m in range(3):
                line, blurred = lines[m], slopes[m]
                for x in range(0, columns, COUNT):
                    store(blurred, (y + RADIUS) * stride + x, _blur_row(line, x))


@njit(error_model="numpy", nogil=True, cache=True)
def _gradient_row(render, photo, y, columns, slopes, row, by_l1, by_ssim, gradient):
    for x in range(0, columns, COUNT):
        p = load_part(render, y * columns + x, columns - x)
        q = load_part(photo, y * columns + x, columns - x)
        similar = (
            _blur_column(slopes[0], row, x)
            + p * _blur_column(slopes[1], row, x) * f32(2)
            + q * _blur_column(slopes[2], row, x)
        )
        side = where(p > q, f32(1), where(p < q, f32(-1), f32(0)))
        slope = side * by_l1 + similar * by_ssim
        store_part(gradient, y * columns + x, columns - x, slope)


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _gradient(render, photo, rows, columns, slopes, dssim_weight, gradient):
    """dL/dp = (1 - w) sign(p - q) / n - w (blur(by_mean) + 2 p blur(by_square) + q
    blur(by_product)) / n."""
    by_l1 = f32((1.0 - dssim_weight) / (rows * columns))
    by_ssim = f32(-dssim_weight / (rows * columns))
    for y in prange(rows):
        row = (y + np.arange(RING)) * padded(columns)
        _gradient_row(render, photo, y, columns, slopes, row, by_l1, by_ssim, gradient)


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
    _compare(p, q, columns, slopes, sums)
    _gradient(p, q, rows, columns, slopes, dssim_weight, gradient)
    similarity, l1 = sums.astype(np.float64).sum(axis=1) / render.size
    loss = (1.0 - dssim_weight) * l1 + dssim_weight * (1.0 - similarity)
    return float(loss), float(l1), float(similarity)
