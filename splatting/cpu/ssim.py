"""The training loss L1 + D-SSIM, its value and its gradient in two passes over the rows.

SSIM (Wang et al. 2004) with the window of 3DGS (`splatting.cpu.blur`). A row of pixels is taken as
one run of 3 w floats, so that a blur along x is a sum of shifted copies and a blur along y a sum of
rows: both are straight SIMD. The gradient needs no second look at the photos, because the blur is
its own transpose.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32
from numba import njit, prange

from simd.lane_functions import only_first
from simd.lane_memory import load_part, store, store_part, store_sums
from simd.lanes import COUNT, absolute, spread, where
from simd.threads import guarded
from splatting.cpu.blur import (
    CHANNELS,
    ROWS,
    STAGGERED,
    along_x,
    along_y,
    moments_along_y,
    padded,
)

f32 = np.float32

C1, C2 = f32(0.01**2), f32(0.03**2)


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
def _compare_row(render, photo, y, columns, lines, offset, slopes, sums):
    """SSIM and L1 of row `y` into `sums (2, h)`, and the slopes of SSIM by the moments."""
    similarity, distance = spread(f32(0)), spread(f32(0))
    for x in range(0, columns, COUNT):
        mean_p, mean_q = along_x(lines[offset], x), along_x(lines[4 + offset], x)
        var_p = along_x(lines[8 + offset], x) - mean_p * mean_p
        var_q = along_x(lines[12 + offset], x) - mean_q * mean_q
        cov = along_x(lines[16 + offset], x) - mean_p * mean_q
        above = mean_p * mean_q * f32(2) + C1
        beside = cov * f32(2) + C2
        below = mean_p * mean_p + mean_q * mean_q + C1
        varied = var_p + var_q + C2
        inverse = f32(1) / (below * varied)
        ssim = above * beside * inverse
        similarity = similarity + only_first(ssim, columns - x)
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
        store(slopes[0], at, by_mean)
        store(slopes[1], at, by_square)
        store(slopes[2], at, by_product)
    for m in range(3):  # what was stored beyond the border is no part of the picture
        slopes[m, y * padded(columns) + columns : (y + 1) * padded(columns)] = f32(0)
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
        moments_along_y(render, photo, y, rows, columns, taps, lines)
        for offset in range(min(ROWS, rows - y)):
            _compare_row(render, photo, y + offset, columns, lines, offset, slopes, sums)


@njit(error_model="numpy", nogil=True, cache=True)
def _gradient_row(render, photo, y, columns, lines, offset, by_l1, by_ssim, gradient):
    for x in range(0, columns, COUNT):
        at = y * columns + x
        p, q = load_part(render, at, columns - x), load_part(photo, at, columns - x)
        similar = (
            along_x(lines[offset], x)
            + p * along_x(lines[4 + offset], x) * f32(2)
            + q * along_x(lines[8 + offset], x)
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
        stride = padded(columns)
        for m in range(3):
            along_y(slopes[m], None, y, rows, stride, stride, taps, lines, 4 * m)
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
    _compare(p, q, columns, STAGGERED, slopes, sums)
    _gradient(p, q, rows, columns, STAGGERED, slopes, dssim_weight, gradient)
    similarity, l1 = sums.astype(np.float64).sum(axis=1) / render.size
    loss = (1.0 - dssim_weight) * l1 + dssim_weight * (1.0 - similarity)
    return float(loss), float(l1), float(similarity)
