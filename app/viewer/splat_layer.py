"""The splats in one browser, which draws them itself: sent when they change, colours when it rests.

A browser is told a splat's position, shape, opacity and one colour. What the colour is from where
it stands is found here, and sent again once it has moved and rests.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, UInt8

from app.viewer.splat_columns import columns, to_bytes

if TYPE_CHECKING:
    from viser import ClientHandle

    from app.viewer.stage import Stage

NODE = "/splats"
BYTES_A_SPLAT = 32
BYTES_PER_S = 20e6
"""Whatever changes, all splats of a browser are sent again: on average at most so much."""
LIVE_EVERY_S = 2.0
"""While training runs they are not sent more often than this."""
CHANGE, CHANGED_SHARE = 2, 1e-3
"""New colours are sent once more than this share of them differs by more levels of 255."""
BLACK = np.zeros((1, 1, 3), np.uint8)


class SplatLayer:
    """What one client was sent; used by its render thread alone."""

    def __init__(self, client: ClientHandle, stage: Stage) -> None:
        self._client, self._stage = client, stage
        self._node: Any = None
        self._splats: Any = None
        self._version = -1
        self._rgb = np.zeros((0, 3), np.uint8)
        self._coloured_from = np.full(3, np.nan)
        self._next_at = 0.0

    def refresh(self, position_world: Float[np.ndarray, "3"], resting: bool) -> None:
        """Send what has changed, but nothing before its time."""
        stage, page = self._stage, self._stage.browser
        if page is None or (self._node is not None and time.monotonic() < self._next_at):
            return
        if self._node is None or self._version != stage.version:
            with stage.pace.turn():
                self._version = stage.version
                self._splats = page.draws(stage.splats)
                rgb = self._colours(position_world)
                self._send(rgb, page.changes is None)
        elif resting and np.any(position_world != self._coloured_from):
            with stage.pace.turn():
                rgb = self._colours(position_world)
            if differ(rgb, self._rgb):
                self._node.rgbs = self._rgb = rgb
                self._sent()

    def hide(self) -> None:
        """Leave the picture to the server."""
        if self._node is not None:
            self._node.remove()
            self._node = self._splats = None

    def _colours(self, position_world: Any) -> UInt8[np.ndarray, "n 3"]:
        from splatting.colours import colours_from

        self._coloured_from = np.array(position_world)
        return to_bytes(colours_from(self._splats, position_world))

    def _send(self, rgb: UInt8[np.ndarray, "n 3"], plain: bool) -> None:
        self._rgb, held = rgb, columns(self._splats, plain)
        parts = (held.centres, held.shapes, rgb, held.opacities)
        with self._client.atomic():
            if len(rgb) == 0:  # a buffer without splats is none to the browser
                self.hide()
            elif self._node is None:
                self._node = self._client.scene.add_gaussian_splats(
                    NODE, *parts, scale=self._stage.scale / held.zoom
                )
            else:
                self._node.set_gaussians(*parts)
                self._node.scale = self._stage.scale / held.zoom
            self._client.scene.set_background_image(BLACK, format="png")
        self._sent()

    def _sent(self) -> None:
        self._client.flush()
        wait_s = BYTES_A_SPLAT * len(self._rgb) / BYTES_PER_S
        self._next_at = time.monotonic() + max(wait_s, LIVE_EVERY_S * self._stage.live)


def differ(a: UInt8[np.ndarray, "n 3"], b: UInt8[np.ndarray, "n 3"]) -> bool:
    """Whether anyone would see the difference of two sets of colours."""
    apart = np.maximum(a, b) - np.minimum(a, b)
    return bool(np.mean(apart > CHANGE) > CHANGED_SHARE)
