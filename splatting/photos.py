"""The training photos, decoded in the background and kept as bytes, with their coarser levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from numba import njit, prange

from data.camera import Camera
from data.images import area_average
from data.scene import View
from simd.threads import guarded

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


@dataclass(frozen=True, eq=False)
class Sample:
    """One photo to learn from, at some size."""

    camera: Camera
    rgb: Float32[np.ndarray, "h w 3"]
    """0..1; composited on black where `opacity` is given."""
    kept: Float32[np.ndarray, "h w"] | None = None
    """How much each pixel counts, 0..1; None if all do."""
    opacity: Float32[np.ndarray, "h w"] | None = None
    """Alpha of a photo with a transparent background."""


Planes = tuple[
    UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"] | None, UInt8[np.ndarray, "h w"] | None
]
"""Bytes of rgb, kept and opacity."""


class Photos:
    """Photos of `views`; `take(index, level)` gives one of them, halved `level` times.

    They are decoded in the background from the first moment on, so that training need not wait for
    the last one before its first step. As many as fit into `cache_bytes` stay in memory; the others
    are decoded anew each time, ahead of their turn if `expect` announces it. Leaving the `with`
    block ends that.
    """

    def __init__(self, views: Sequence[View], cache_bytes: float = math.inf) -> None:
        self._views = views
        self._kept: dict[tuple[int, int], Planes] = {}
        self._pool = ThreadPoolExecutor(DECODERS)
        self._broken: list[BaseException] = []
        self._stay = _first_that_fit(views, cache_bytes)
        self._coming = {index: self._begin(index) for index in range(self._stay)}

    def __enter__(self) -> Photos:
        return self

    def __exit__(self, *_: Any) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __len__(self) -> int:
        return len(self._views)

    @property
    def cameras(self) -> list[Camera]:
        """The cameras at full size."""
        return [view.camera for view in self._views]

    @property
    def stay(self) -> int:
        """How many of the photos stay in memory."""
        return self._stay

    def expect(self, indices: Sequence[int]) -> None:
        """These are taken next: decode them in the background, unless they are here already."""
        for index in indices:
            if (index, 0) not in self._kept and index not in self._coming:
                self._coming[index] = self._begin(index)

    def take(self, index: int, level: int) -> Sample:
        """View `index` at 1 / 2^level of its size; UserError as soon as any photo has turned out to
        be unreadable: seconds are lost then, not minutes."""
        if self._broken:
            raise self._broken[0]
        camera = self._views[index].camera
        while level and min(camera.width, camera.height) >> level < LEAST_SIDE_PX:
            level -= 1
        whole = self._kept.get((index, 0)) or self._arrived(index)
        planes = self._kept.get((index, level)) or _halved(whole, camera, level)
        if index < self._stay:
            # levels come from the bytes at hand: decoding again takes a hundred times as long
            self._kept[index, 0], self._kept[index, level] = whole, planes
        rgb, kept, opacity = (plane if plane is None else _floats(plane) for plane in planes)
        assert rgb is not None
        return Sample(camera.resized(rgb.shape[1], rgb.shape[0]), rgb, kept, opacity)

    def check(self) -> None:
        """Wait until every photo that was asked for is read; UserError for the first that cannot
        be."""
        for coming in self._coming.values():
            if not coming.cancelled():
                coming.result()

    def _begin(self, index: int) -> Future[Planes]:
        coming = self._pool.submit(_decode, self._views[index])
        coming.add_done_callback(self._note_broken)
        return coming

    def _arrived(self, index: int) -> Planes:
        coming = self._coming.pop(index, None)
        # one that nobody has begun need not wait for its turn
        return _decode(self._views[index]) if coming is None or coming.cancel() else coming.result()

    def _note_broken(self, coming: Future[Any]) -> None:
        if not coming.cancelled() and (error := coming.exception()):
            self._broken.append(error)


def _first_that_fit(views: Sequence[View], cache_bytes: float) -> int:
    """How many photos fit with their coarser levels, which add a third."""
    held = 0.0
    for number, view in enumerate(views):
        planes = 3 + (view.mask_path is not None or view.alpha == "mask")
        planes += view.alpha == "transparent"
        held += view.camera.width * view.camera.height * planes * 4 / 3
        if held > cache_bytes:
            return number
    return len(views)


def _decode(view: View) -> Planes:
    kept, opacity = view.kept(), view.opacity()
    return (
        _bytes(view.image()),
        None if kept is None else _bytes(kept),
        None if opacity is None else _bytes(opacity),
    )


def _halved(planes: Planes, camera: Camera, level: int) -> Planes:
    """The planes at 1 / 2^level of the camera's size."""
    if not level:
        return planes
    width, height = camera.width >> level, camera.height >> level
    rgb, kept, opacity = (
        plane if plane is None else _shrunk(plane, width, height) for plane in planes
    )
    assert rgb is not None
    return rgb, kept, opacity


def _shrunk(plane: np.ndarray, width: int, height: int) -> np.ndarray:
    small = area_average(plane.reshape(*plane.shape[:2], -1), width, height)
    return np.rint(small).astype(np.uint8).reshape(height, width, *plane.shape[2:])


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _floats(plane: np.ndarray) -> np.ndarray:
    values = np.empty(plane.shape, np.float32)
    _to_float(plane.reshape(len(plane), -1), values.reshape(len(plane), -1))
    return values
