"""The training photos, decoded in the background and kept as bytes, with their coarser levels."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from numba import njit, prange

from data.camera import Camera
from data.images import area_average
from data.scene import View
from splatting.cpu.threads import guarded

DECODERS = 2
"""Threads that decode; the training itself wants the cores too."""
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
    """Photos of `views`; `take(index, level)` gives camera and picture, halved `level` times.

    They are decoded in the background from the first moment on, so that training need not wait for
    the last one before its first step. Leaving the `with` block ends that.
    """

    def __init__(self, views: Sequence[View]) -> None:
        self._views = views
        self._kept: dict[tuple[int, int], UInt8[np.ndarray, "h w 3"]] = {}
        self._pool = ThreadPoolExecutor(DECODERS)
        self._coming = [self._pool.submit(_decode, view) for view in views]
        self._broken: list[BaseException] = []
        for coming in self._coming:
            coming.add_done_callback(self._note_broken)

    def __enter__(self) -> Photos:
        return self

    def __exit__(self, *_: Any) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __len__(self) -> int:
        return len(self._views)

    def take(self, index: int, level: int) -> tuple[Camera, Float32[np.ndarray, "h w 3"]]:
        """Camera and photo (0..1) of view `index` at 1 / 2^level of the size; UserError as soon as
        any photo has turned out to be unreadable: seconds are lost then, not minutes."""
        if self._broken:
            raise self._broken[0]
        camera = self._views[index].camera
        while level and min(camera.width, camera.height) >> level < LEAST_SIDE_PX:
            level -= 1
        if (index, 0) not in self._kept:
            coming = self._coming[index]
            # one that nobody has begun need not wait for its turn
            pixels = _decode(self._views[index]) if coming.cancel() else coming.result()
            self._kept[index, 0] = pixels
        if (index, level) not in self._kept:
            # from the bytes at hand: decoding the file again takes a hundred times as long
            whole = self._kept[index, 0]
            small = area_average(whole, camera.width >> level, camera.height >> level)
            self._kept[index, level] = np.rint(small).astype(np.uint8)
        pixels = self._kept[index, level]
        photo = np.empty(pixels.shape, np.float32)
        _to_float(pixels.reshape(len(pixels), -1), photo.reshape(len(pixels), -1))
        return camera.resized(pixels.shape[1], pixels.shape[0]), photo

    def check(self) -> None:
        """Wait until every photo was read; UserError for the first that cannot be."""
        for coming in self._coming:
            if not coming.cancelled():
                coming.result()

    def _note_broken(self, coming: Future[Any]) -> None:
        if not coming.cancelled() and (error := coming.exception()):
            self._broken.append(error)


def _decode(view: View) -> UInt8[np.ndarray, "h w 3"]:
    return np.rint(np.clip(view.image(), 0, 1) * 255).astype(np.uint8)
