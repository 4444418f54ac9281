"""The training photos, decoded before the first step and kept as bytes, with their coarser
levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, UInt8
from numba import njit, prange

from data.camera import Camera
from data.images import area_average
from data.scene import View
from splatting.cpu.threads import guarded

LEAST_SIDE_PX = 60
"""No pyramid level is smaller than this: the SSIM window has 11 pixels."""


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _to_float(pixels, photo):
    """0..255 to 0..1, on all cores: done every step, because bytes take a quarter of the memory."""
    for row in prange(len(pixels)):
        for x in range(pixels.shape[1]):
            photo[row, x] = np.float32(pixels[row, x]) / np.float32(255)


class Photos:
    """Photos of `views`; `take(index, level)` gives camera and picture, halved `level` times."""

    def __init__(self, views: Sequence[View]) -> None:
        self._views = views
        self._kept: dict[tuple[int, int], UInt8[np.ndarray, "h w 3"]] = {}
        for index, view in enumerate(views):
            self._kept[index, 0] = _to_bytes(view.image())

    def __len__(self) -> int:
        return len(self._views)

    def take(self, index: int, level: int) -> tuple[Camera, Float32[np.ndarray, "h w 3"]]:
        """Camera and photo (0..1) of view `index` at 1 / 2^level of the size."""
        camera = self._views[index].camera
        while level and min(camera.width, camera.height) >> level < LEAST_SIDE_PX:
            level -= 1
        if (index, level) not in self._kept:
            # from the bytes at hand: decoding the file again takes a hundred times as long
            whole = self._kept[index, 0]
            small = area_average(whole, camera.width >> level, camera.height >> level)
            self._kept[index, level] = np.rint(small).astype(np.uint8)
        pixels = self._kept[index, level]
        photo = np.empty(pixels.shape, np.float32)
        _to_float(pixels.reshape(len(pixels), -1), photo.reshape(len(pixels), -1))
        return camera.resized(pixels.shape[1], pixels.shape[0]), photo


def _to_bytes(photo: Float32[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.rint(np.clip(photo, 0, 1) * 255).astype(np.uint8)
