"""The training loss L1 + D-SSIM, its value and its gradient in one pass over the rows.

SSIM (Wang et al. 2004) with the window of 3DGS (`splatting.cpu.blur`). A row of pixels is taken as
one run of 3 w floats, so that a blur along x is a sum of shifted copies and a blur along y a sum of
rows: both are straight SIMD. The gradient needs no second look at the photos, because the blur is
its own transpose; it follows the comparison at a distance of five rows, so that the slopes between
the two never leave the cache: each thread keeps the sixteen rows of them that are still wanted.
"""

from __future__ import annotations

import numba
import numpy as np
from jaxtyping import Float32
from numba import njit, prange

from simd.lane_functions import only_first
from simd.lane_memory import aligned, load_part, prefetch, scratch, store, store_part, store_sums
from simd.lanes import COUNT, absolute, spread, where
from simd.threads import guarded
from splatting.cpu.blur import (
    CHANNELS,
    RADIUS,
    RING,
    ROWS,
    STAGGERED,
    along_x,
    moments_along_y,
    padded,
    slopes_along_y,
)

f32 = np.float32

C1, C2 = f32(0.01**2), f32(0.03**2)


class SsimWorkspace:
    """Buffers for pictures up to the largest seen."""

    def __init__(self) -> None:
        self._buffer = aligned(0)

    def take(self, bands: int, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
        """Rings of three maps of slopes, `(bands, 3, RING * stride)` with rows in whole lanes, and
        two sums a row."""
        ring = RING * padded(columns)
        size = 3 * bands * ring
        if self._buffer.size < size + 2 * rows:
            self._buffer = aligned(size + 2 * rows)
        sums = self._buffer[size : size + 2 * rows]
        return self._buffer[:size].reshape(bands, 3, ring), sums.reshape(2, rows)


@njit(error_model="numpy", nogil=True, cache=True)
def _compare_row(render, photo, y, columns, lines, offset, slopes):
    """Sums of SSIM and L1 over row `y`; the slopes of SSIM by E[p], E[p q] and, doubled, E[p^2]
    into the ring."""
    similarity, distance = spread(f32(0)), spread(f32(0))
    begin = (y & (RING - 1)) * padded(columns)
    for x in range(0, columns, COUNT):
        mean_p, mean_q = along_x(lines[offset], x), along_x(lines[4 + offset], x)
        product, squares = mean_p * mean_q, mean_p * mean_p + mean_q * mean_q
        above = product * f32(2) + C1
        beside = (along_x(lines[12 + offset], x) - product) * f32(2) + C2
        below = squares + C1
        # SSIM asks for the sum of the two variances only: one map for both
        varied = along_x(lines[8 + offset], x) - squares + C2
        inverse = f32(1) / (below * varied)
        ssim = above * beside * inverse
        similarity = similarity + only_first(ssim, columns - x)
        p = load_part(render, y * columns + x, columns - x)
        q = load_part(photo, y * columns + x, columns - x)
        distance = distance + absolute(p - q)
        # by the blurred moments, with variances and covariance written out
        inverse = inverse * f32(2)
        ssim = ssim * inverse
        by_square = ssim * below * f32(-1)
        by_product = above * inverse
        of_photo = beside - above
        of_render = varied - below
        by_mean = mean_q * inverse * of_photo - mean_p * ssim * of_render
        store(slopes[0], begin + x, by_mean)
        store(slopes[1], begin + x, by_square)
        store(slopes[2], begin + x, by_product)
    for m in range(3):  # what was stored beyond the border is no part of the picture
        slopes[m, begin + columns : begin + padded(columns)] = f32(0)
    return similarity, distance


@njit(error_model="numpy", nogil=True, cache=True)
def _gradient_row(render, photo, y, columns, lines, offset, by_l1, by_ssim, gradient):
    for x in range(0, columns, COUNT):
        at = y * columns + x
        prefetch(gradient, at + ROWS * columns)
        p, q = load_part(render, at, columns - x), load_part(photo, at, columns - x)
        similar = (
            along_x(lines[offset], x)
            + p * along_x(lines[4 + offset], x)
            + q * along_x(lines[8 + offset], x)
        )
        side = where(p > q, f32(1), where(p < q, f32(-1), f32(0)))
        slope = side * by_l1 + similar * by_ssim
        store_part(gradient, at, columns - x, slope)


@njit(error_model="numpy", nogil=True, cache=True)
def _band(render, photo, begin, end, rows, columns, taps, by_l1, by_ssim, slopes, sums, gradient):
    """SSIM and L1 of the rows from `begin` to `end` into `sums (2, h)`, and their gradient."""
    width = padded(columns) + 2 * COUNT
    moments = scratch(4 * ROWS * width).reshape((4 * ROWS, width))
    blurred = scratch(3 * ROWS * width).reshape((3 * ROWS, width))
    moments[:] = f32(0)
    blurred[:] = f32(0)
    ahead = begin - RADIUS
    for y in range(begin, end, ROWS):
        while ahead < y + ROWS + RADIUS:
            moments_along_y(render, photo, ahead, rows, columns, taps, moments)
            for row in range(max(ahead, 0), min(ahead + ROWS, rows)):
                found = _compare_row(render, photo, row, columns, moments, row - ahead, slopes)
                if begin <= row < end:
                    store_sums(sums[0], row, (found[0],))
                    store_sums(sums[1], row, (found[1],))
            ahead += ROWS
        slopes_along_y(slopes, y, rows, columns, taps, blurred)
        for row in range(y, min(y + ROWS, end)):
            _gradient_row(render, photo, row, columns, blurred, row - y, by_l1, by_ssim, gradient)


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _loss(render, photo, rows, columns, taps, dssim_weight, slopes, sums, gradient):
    """dL/dp = (1 - w) sign(p - q) / n - w (blur(by E[p]) + 2 p blur(by E[p^2]) + q blur(by
    E[p q])) / n, a band of rows for each ring of `slopes`."""
    by_l1 = f32((1.0 - dssim_weight) / (rows * columns))
    by_ssim = f32(-dssim_weight / (rows * columns))
    bands = slopes.shape[0]
    groups = (rows + ROWS - 1) // ROWS
    for band in prange(bands):
        begin, end = groups * band // bands * ROWS, groups * (band + 1) // bands * ROWS
        _band(
            render,
            photo,
            begin,
            min(end, rows),
            rows,
            columns,
            taps,
            by_l1,
            by_ssim,
            slopes[band],
            sums,
            gradient,
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
    slopes, sums = workspace.take(numba.get_num_threads(), rows, columns)
    _loss(p, q, rows, columns, STAGGERED, dssim_weight, slopes, sums, gradient)
    similarity, l1 = sums.astype(np.float64).sum(axis=1) / render.size
    loss = (1.0 - dssim_weight) * l1 + dssim_weight * (1.0 - similarity)
    return float(loss), float(l1), float(similarity)
