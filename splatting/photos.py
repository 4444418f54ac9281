"""The training photos, decoded before the first step and kept as bytes, with their coarser
levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, UInt8

from data.camera import Camera
from data.images import area_average
from data.scene import View

LEAST_SIDE_PX = 60
"""No pyramid level is smaller than this: the SSIM window has 11 pixels."""

_TO_FLOAT = (np.arange(256) / 255.0).astype(np.float32)


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
            photo = self._views[index].image()
            if level:
                photo = area_average(photo, camera.width >> level, camera.height >> level)
            self._kept[index, level] = np.rint(np.clip(photo, 0, 1) * 255).astype(np.uint8)
        pixels = self._kept[index, level]
        return camera.resized(pixels.shape[1], pixels.shape[0]), _TO_FLOAT[pixels]


def _to_bytes(photo: Float32[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.rint(np.clip(photo, 0, 1) * 255).astype(np.uint8)
