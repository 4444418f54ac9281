"""The picture in the page: one render thread a client, the latest camera wins.

A moving camera gets small pictures at once; a camera at rest gets a full one. While training
runs, `stage.Pace` keeps all pages together to a share of the time: looking never starves it.
Where browsers draw for themselves, the thread keeps their splats up to date instead.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from app.viewer.cameras import camera_from_pose
from app.viewer.speed import Speed
from app.viewer.splat_layer import SplatLayer
from app.viewer.stage import Stage
from app.viewer.waiting import told

if TYPE_CHECKING:
    from viser import ClientHandle

    from data.camera import Camera

SETTLE_S = 0.2
"""A camera that has not moved for this long gets its full picture."""
MOVING_S = 1 / 15
"""Time aimed at for one picture of a moving camera."""
LIVE_S = 0.25
"""Time aimed at for one picture at rest while training runs: its rest blocks the next ones."""
REFRESH_S = 1.0
"""A page at rest is redrawn this often while the splats change."""
MAX_DEPTH = 160.0
"""Depth reaches the page in fixed point up to 167 of its units."""
MIN_DEPTH = 1e-3
"""Nearer than the page's own near plane: hides everything."""


class RenderWorker(threading.Thread):
    """Draws for one client until it leaves; an error is shown to it and ends nothing."""

    def __init__(self, client: ClientHandle, stage: Stage, on_error: Callable[[str], None]) -> None:
        super().__init__(name=f"viewer-{client.client_id}", daemon=True)
        self._client = client
        self._stage = stage
        self._on_error = on_error
        self._wake = threading.Event()
        self._ended = False
        self._speed = Speed()
        self._failed = False
        self._layer = SplatLayer(client, stage)
        self._first = True

    def wake(self) -> None:
        """The camera moved, or the picture is out of date."""
        self._wake.set()

    def end(self) -> None:
        """Stop after the current picture."""
        self._ended = True
        self._wake.set()

    def run(self) -> None:
        shown = -1
        while not self._ended:
            moved = self._wake.wait(REFRESH_S)
            self._wake.clear()
            if self._ended or self._stage.source is None:
                continue
            current = shown == self._stage.version and not self._stage.drawn_by_browsers
            if not moved and current:
                continue
            shown = self._stage.version
            if moved:
                self._draw(moving=True)
                if self._wake.wait(SETTLE_S):
                    continue
            self._draw(moving=False)

    def _draw(self, moving: bool) -> None:
        try:
            with told(self._client) if self._first else contextlib.nullcontext():
                self._stage.alone(self._show, moving)
            self._first = False
        except Exception as error:  # a page must outlive whatever a render does
            if not self._ended:
                self._failed = True
                self._on_error(f"{type(error).__name__}: {error}")

    def _show(self, moving: bool) -> None:
        if self._ended:
            return
        if self._stage.drawn_by_browsers:
            self._layer.refresh(self._camera(moving).position_world, resting=not moving)
            self._works()
            return
        with self._stage.pace.turn():
            begin = time.monotonic()
            camera = self._camera(moving)
            output = self._stage.draw(camera, self._client)
            elapsed = time.monotonic() - begin
        self._speed.add(camera.width * camera.height, elapsed)
        if self._ended:
            return
        picture = to_uint8(output.rgb)
        for overlay in list(self._stage.overlays.values()):
            picture = overlay(picture, camera, self._client)
        self._client.scene.set_background_image(
            picture,
            format="jpeg",
            jpeg_quality=70 if moving else 92,
            depth=page_depth(output, self._stage.scale) if self._stage.with_depth else None,
        )
        self._layer.hide()
        self._client.flush()
        self._works()

    def _works(self) -> None:
        if self._failed:
            self._failed = False
            self._on_error("")

    def _camera(self, moving: bool) -> Camera:
        view = self._client.camera
        width, height = max(view.image_width, 16), max(view.image_height, 16)
        scale = self._stage.detail * min(1.0, 1920 / max(width, height))
        seconds = MOVING_S if moving else LIVE_S if self._stage.live else None
        if seconds is not None:
            budget = self._speed.pixels_in(seconds) / (width * height)
            scale = min(scale, float(np.clip(np.sqrt(budget), 0.15, 1.0)))
        size = max(16, round(width * scale)), max(16, round(height * scale))
        position = np.asarray(view.position) / self._stage.scale
        return camera_from_pose(view.wxyz, position, view.fov, *size)


def to_uint8(rgb: Shaped[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """An image 0..1 as bytes, rounded to nearest; bytes as they are."""
    if rgb.dtype == np.uint8:
        return rgb
    levels = np.multiply(rgb, 255.0)  # the one copy: three took longer than the picture's JPEG
    levels += 0.5
    return np.clip(levels, 0.0, 255.0, out=levels).astype(np.uint8)


def page_depth(output: Any, scale: float) -> Float[np.ndarray, "h w"]:
    """Mean depth in units of the page where the picture is solid, far elsewhere."""
    solid = output.alpha > 0.5
    depth = scale * output.depth / np.maximum(output.alpha, 0.5)
    return np.where(solid, np.clip(depth, MIN_DEPTH, MAX_DEPTH), MAX_DEPTH)
