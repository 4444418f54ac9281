"""Exposure compensation: one affine map of colour for each training photo.

A phone changes exposure and white balance from photo to photo; splats that must explain that with
floaters and view-dependent colour get worse everywhere else. While training, the render of view i
is passed through rgb' = A_i rgb + b_i before the loss; the maps start at the identity, are pulled
back to it, and never leave training: what is scored and exported is the plain render.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from numba import njit, prange

from simd.threads import guarded

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-15
_BANDS = 32
"""Parts of a picture whose sums are taken side by side: fixed, so that threads do not matter."""


@dataclass(eq=False)
class Exposure:
    """Maps (A | b) and their moments of Adam, one for each training view."""

    maps: Float32[np.ndarray, "views 3 4"]
    first: Float32[np.ndarray, "views 3 4"]
    second: Float32[np.ndarray, "views 3 4"]
    uses: Float32[np.ndarray, "views"]
    """How often each view was trained on, for the bias of its moments."""

    @staticmethod
    def identity(views: int) -> Exposure:
        """No change to any view."""
        maps = np.tile(np.eye(3, 4, dtype=np.float32), (views, 1, 1))
        return Exposure(maps, np.zeros_like(maps), np.zeros_like(maps), np.zeros(views, np.float32))

    def apply(self, view: int, rgb: Float32[np.ndarray, "h w 3"], out: np.ndarray) -> None:
        """`rgb` as photo `view` was exposed, into `out`, shaped as `rgb`."""
        _apply(rgb, self.maps[view], out)

    def step(
        self,
        view: int,
        rgb: Float32[np.ndarray, "h w 3"],
        d_out: Float32[np.ndarray, "h w 3"],
        rate: float,
        weight: float,
    ) -> None:
        """Turn `d_out`, dL/d(exposed), into dL/d(rgb) in place, and take one step of Adam on the
        map of `view`, whose loss has `weight` times its squared distance to the identity."""
        partial = np.zeros((_BANDS, 3, 4))
        _backward(rgb, self.maps[view], d_out, partial)
        slope = partial.sum(axis=0) + 2.0 * weight * (self.maps[view] - np.eye(3, 4))
        self.uses[view] += 1
        first, second = self.first[view], self.second[view]
        first += (1 - _BETA1) * (slope - first)
        second += (1 - _BETA2) * (slope**2 - second)
        t = float(self.uses[view])
        mean, square = first / (1 - _BETA1**t), second / (1 - _BETA2**t)
        self.maps[view] -= rate * mean / (np.sqrt(square) + _EPSILON)


@guarded
@njit(parallel=True, fastmath=True, error_model="numpy", nogil=True, cache=True)
def _apply(rgb, m, out):
    for y in prange(rgb.shape[0]):
        for x in range(rgb.shape[1]):
            r, g, b = rgb[y, x, 0], rgb[y, x, 1], rgb[y, x, 2]
            for c in range(3):
                out[y, x, c] = m[c, 0] * r + m[c, 1] * g + m[c, 2] * b + m[c, 3]


@guarded
@njit(parallel=True, fastmath=True, error_model="numpy", nogil=True, cache=True)
def _backward(rgb, m, d, partial):
    """Sums of d rgb^T by band into `partial (bands, 3, 4)`; `d` becomes m^T d."""
    rows = (rgb.shape[0] + _BANDS - 1) // _BANDS
    for band in prange(_BANDS):
        for y in range(band * rows, min((band + 1) * rows, rgb.shape[0])):
            for x in range(rgb.shape[1]):
                r, g, b = rgb[y, x, 0], rgb[y, x, 1], rgb[y, x, 2]
                d0, d1, d2 = d[y, x, 0], d[y, x, 1], d[y, x, 2]
                for c in range(3):
                    slope = d[y, x, c]
                    partial[band, c, 0] += slope * r
                    partial[band, c, 1] += slope * g
                    partial[band, c, 2] += slope * b
                    partial[band, c, 3] += slope
                for c in range(3):
                    d[y, x, c] = m[0, c] * d0 + m[1, c] * d1 + m[2, c] * d2
