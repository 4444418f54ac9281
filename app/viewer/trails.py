"""Trails: where joints were a moment ago, fading with time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from app.viewer.colour_maps import BACKGROUND
from app.viewer.placement import Placement
from data.motion import Motion

if TYPE_CHECKING:
    from viser import ViserServer

NONE, ENDS, PICKED, ALL = "none", "ends of limbs", "picked joint", "all joints"
_MOST_LINES = 4000
"""In all trails together: longer ones are drawn in longer pieces."""


class Trails:
    """Lines behind some joints of the clip on the page."""

    def __init__(self, server: ViserServer) -> None:
        self._scene = server.scene
        self.which = ENDS
        self.seconds = 0.8
        self._lines = None
        self._motion: Motion | None = None
        self._placement: Placement | None = None

    def rebuild(self, motion: Motion, placement: Placement) -> None:
        """For another clip, or another choice of joints or length."""
        self._motion, self._placement = motion, placement
        self._scene.remove_by_name("/motion/trails")
        self._lines = None

    def draw(
        self,
        frame: int,
        colours: Callable[[Motion, str, int], np.ndarray],
        by: str,
        picked: int | None,
    ) -> None:
        """The trails that end at `frame`."""
        motion, placement = self._motion, self._placement
        if motion is None or placement is None:
            return
        joints = self._joints(picked)
        if not len(joints):
            if self._lines is not None:
                self._lines.visible = False
            return
        back = trail_frames(frame, round(self.seconds * motion.fps), len(joints))
        places = placement.xyz[back][:, joints]  # k, j, 3
        lines = np.stack([places[:-1], places[1:]], axis=2)
        # a line from or to an unknown place has no length
        broken = ~np.isfinite(lines).all(axis=(2, 3))
        lines[broken] = 0.0
        age = np.linspace(0.0, 1.0, len(back))
        rgb = colours(motion, by, frame)[joints].astype(np.float64)
        faded = BACKGROUND + age[:, None, None] ** 1.5 * (rgb - BACKGROUND)
        shades = np.stack([faded[:-1], faded[1:]], axis=2).astype(np.uint8)
        points, shades = lines.reshape(-1, 2, 3), shades.reshape(-1, 2, 3)
        if self._lines is None:
            self._lines = self._scene.add_line_segments(
                "/motion/trails", points, shades, thickness=2.5, thickness_units="screen"
            )
            return
        self._lines.points, self._lines.colors = points, shades
        self._lines.visible = True

    def _joints(self, picked: int | None) -> np.ndarray:
        assert self._motion is not None
        skeleton = self._motion.skeleton
        if self.which == ENDS:
            return np.setdiff1d(np.arange(len(skeleton)), skeleton.parents)
        if self.which == PICKED:
            return np.array([] if picked is None else [picked], np.int64)
        return np.arange(len(skeleton) if self.which == ALL else 0)


def trail_frames(frame: int, length: int, joints: int) -> np.ndarray:
    """Frames of a trail, oldest first; always as many, the first one again where there are none.

    >>> trail_frames(2, 4, 1).tolist()
    [0, 0, 0, 1, 2]
    """
    pieces = max(1, min(length, _MOST_LINES // max(joints, 1)))
    back = np.rint(np.linspace(length, 0, pieces + 1)).astype(np.int64)
    return np.maximum(frame - back, 0)
