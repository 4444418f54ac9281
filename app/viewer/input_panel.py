"""The 2D input beside the 3D, in a small panel of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.viewer.flat_figure import flat_figure
from app.viewer.limb_colours import choices
from app.viewer.playback import Playback

if TYPE_CHECKING:
    from viser import ViserServer

    from app.viewer.skeleton_view import Look

WIDTH = 480
"""Of the picture in pixels; the panel shows it smaller."""


class InputPanel:
    """Follows the playback; hidden where a clip has no 2D input."""

    def __init__(self, server: ViserServer, playback: Playback, look: Look) -> None:
        self._playback, self._look = playback, look
        self._panel = server.gui.add_panel()
        with self._panel.add_tab("2D input"):
            self._picture = server.gui.add_image(self._drawn(), format="jpeg", jpeg_quality=88)
        self._panel.float(x=-14, y=-14, width=360)
        self._panel.visible = self._there
        playback.on_clip.append(self._renew)

    def draw(self) -> None:
        """Show the frame of the playback."""
        if self._there:
            self._picture.image = self._drawn()

    @property
    def _there(self) -> bool:
        return self._playback.motion.xy is not None

    def _renew(self) -> None:
        self._panel.visible = self._there

    def _drawn(self):
        playback = self._playback
        with playback.lock:
            motion, frame, joint = playback.motion, playback.frame, playback.joint
        by = self._look.by if self._look.by in choices(motion) else choices(motion)[0]
        return flat_figure(motion, frame, by, WIDTH, joint)
