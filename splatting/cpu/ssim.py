"""The training loss L1 + D-SSIM, its value and its gradient in three passes over the rows.

SSIM (Wang et al. 2004) with the window of 3DGS: 11 taps, sigma 1.5, zeros beyond the border. A row
of pixels is taken as one run of 3 w floats, so that a blur along x is a sum of shifted copies and a
blur along y a sum of rows: both are straight SIMD. The gradient needs no second look at the photos,
because the blur is its own transpose.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32
from numba import njit, prange

from splatting.cpu.threads import guarded

f32 = np.float32

RADIUS = 5
CHANNELS = 3
C1, C2 = f32(0.01**2), f32(0.03**2)

_offsets = np.arange(-RADIUS, RADIUS + 1)
_gaussian = np.exp(-(_offsets**2) / (2 * 1.5**2))
TAPS = tuple(f32(g) for g in _gaussian / _gaussian.sum())
T0, T1, T2, T3, T4, T5 = TAPS[:6]

# without nnan: a NaN in the picture has to reach the loss
_FAST = {"reassoc", "contract", "arcp", "nsz"}


class SsimWorkspace:
    """Buffers for pictures up to the largest seen."""

    def __init__(self) -> None:
        self._buffer = np.empty(0, np.float32)

    def take(self, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Five maps of blurred moments, three of blurred slopes, and two sums a row."""
        plane = rows * columns
        if self._buffer.size < 8 * plane + 2 * rows:
            self._buffer = np.empty(8 * plane + 2 * rows, np.float32)
        moments = self._buffer[: 5 * plane].reshape(5, rows, columns)
        slopes = self._buffer[5 * plane : 8 * plane].reshape(3, rows, columns)
        return moments, slopes, self._buffer[8 * plane : 8 * plane + 2 * rows].reshape(2, rows)


@njit(fastmath=_FAST, error_model="numpy", nogil=True, cache=True)
def _blur_along_x(padded, out):
    """Blur one row; `padded` has RADIUS pixels of zeros on both sides."""
    for x in range(len(out)):
        out[x] = (
            T0 * (padded[x] + padded[x + 30])
            + T1 * (padded[x + 3] + padded[x + 27])
            + T2 * (padded[x + 6] + padded[x + 24])
            + T3 * (padded[x + 9] + padded[x + 21])
            + T4 * (padded[x + 12] + padded[x + 18])
            + T5 * padded[x + 15]
        )


@njit(fastmath=_FAST, error_model="numpy", nogil=True, cache=True)
def _blur_along_y(maps, y, out):
    """Row `y` of `maps (h, c)` blurred along y, into `out (c,)`."""
    if y < RADIUS or y >= len(maps) - RADIUS:
        out[:] = f32(0)
        for k in range(-RADIUS, RADIUS + 1):
            if 0 <= y + k < len(maps):
                tap = TAPS[k + RADIUS]
                row = maps[y + k]
                for x in range(len(out)):
                    out[x] += tap * row[x]
        return
    # away from the border all eleven rows in one pass: the sum stays in registers
    a, b, c, d, e = maps[y - 5], maps[y - 4], maps[y - 3], maps[y - 2], maps[y - 1]
    f, g, h, i, j = maps[y + 1], maps[y + 2], maps[y + 3], maps[y + 4], maps[y + 5]
    middle = maps[y]
    for x in range(len(out)):
        out[x] = (
            T0 * (a[x] + j[x])
            + T1 * (b[x] + i[x])
            + T2 * (c[x] + h[x])
            + T3 * (d[x] + g[x])
            + T4 * (e[x] + f[x])
            + T5 * middle[x]
        )


@guarded
@njit(parallel=True, fastmath=_FAST, error_model="numpy", nogil=True, cache=True)
def _blur_moments(render, photo, moments):
    """Blur p, q, p^2, q^2 and p q along x into `moments (5, h, c)`."""
    _, rows, columns = moments.shape
    pad = RADIUS * CHANNELS
    for y in prange(rows):
        padded = np.zeros((5, columns + 2 * pad), np.float32)
        for x in range(columns):
            p, q = render[y, x], photo[y, x]
            padded[0, x + pad] = p
            padded[1, x + pad] = q
            padded[2, x + pad] = p * p
            padded[3, x + pad] = q * q
            padded[4, x + pad] = p * q
        for m in range(5):
            _blur_along_x(padded[m], moments[m, y])


@guarded
@njit(parallel=True, fastmath=_FAST, error_model="numpy", nogil=True, cache=True)
def _compare(render, photo, moments, slopes, sums):
    """SSIM and L1 of each row into `sums (2, h)`; the slopes of SSIM by the moments, blurred along
    x."""
    _, rows, columns = moments.shape
    pad = RADIUS * CHANNELS
    for y in prange(rows):
        blurred = np.empty((5, columns), np.float32)
        for m in range(5):
            _blur_along_y(moments[m], y, blurred[m])
        padded = np.zeros((3, columns + 2 * pad), np.float32)
        similarity = f32(0)
        distance = f32(0)
        for x in range(columns):
            mean_p, mean_q = blurred[0, x], blurred[1, x]
            var_p = blurred[2, x] - mean_p * mean_p
            var_q = blurred[3, x] - mean_q * mean_q
            cov = blurred[4, x] - mean_p * mean_q
            above = f32(2) * mean_p * mean_q + C1
            beside = f32(2) * cov + C2
            below = mean_p * mean_p + mean_q * mean_q + C1
            spread = var_p + var_q + C2
            inverse = f32(1) / (below * spread)
            ssim = above * beside * inverse
            similarity += ssim
            distance += abs(render[y, x] - photo[y, x])
            # by the blurred moments E[p], E[p^2] and E[p q], with the variances written out
            by_square = -ssim / spread
            by_product = f32(2) * above * inverse
            by_mean = (
                f32(2) * mean_q * beside * inverse
                - f32(2) * mean_p * ssim / below
                - f32(2) * mean_p * by_square
                - mean_q * by_product
            )
            padded[0, x + pad] = by_mean
            padded[1, x + pad] = by_square
            padded[2, x + pad] = by_product
        sums[0, y], sums[1, y] = similarity, distance
        for m in range(3):
            _blur_along_x(padded[m], slopes[m, y])


@guarded
@njit(parallel=True, fastmath=_FAST, error_model="numpy", nogil=True, cache=True)
def _gradient(render, photo, slopes, dssim_weight, gradient):
    """dL/dp = (1 - w) sign(p - q) / n - w (blur(by_mean) + 2 p blur(by_square) + q
    blur(by_product)) / n."""
    _, rows, columns = slopes.shape
    by_l1 = f32((1.0 - dssim_weight) / (rows * columns))
    by_ssim = f32(-dssim_weight / (rows * columns))
    for y in prange(rows):
        blurred = np.empty((3, columns), np.float32)
        for m in range(3):
            _blur_along_y(slopes[m], y, blurred[m])
        for x in range(columns):
            p, q = render[y, x], photo[y, x]
            similar = blurred[0, x] + f32(2) * p * blurred[1, x] + q * blurred[2, x]
            gradient[y, x] = by_l1 * np.sign(p - q) + by_ssim * similar


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
    flat = (rows, width * CHANNELS)
    p, q, gradient = render.reshape(flat), photo.reshape(flat), grad_out.reshape(flat)
    moments, slopes, sums = workspace.take(*flat)
    _blur_moments(p, q, moments)
    _compare(p, q, moments, slopes, sums)
    _gradient(p, q, slopes, dssim_weight, gradient)
    similarity, l1 = sums.astype(np.float64).sum(axis=1) / render.size
    loss = (1.0 - dssim_weight) * l1 + dssim_weight * (1.0 - similarity)
    return float(loss), float(l1), float(similarity)
