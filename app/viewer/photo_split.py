"""Photo, render and error of one photo side by side, for whoever stands where it was taken.

All three are made at the photo's own size with its own camera, principal point and all, and only
then fitted into the page: what is compared is what is scored.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from app.contact_sheet import PAPER, heat
from app.viewer.captions import write_labels
from app.viewer.scene_view import to_uint8
from app.viewer.stage import Picture, flat

if TYPE_CHECKING:
    from app.viewer.page import Page
    from data.scene import View

SAME_PLACE, SAME_ANGLE_RAD = 1e-3, 2e-3
"""Of the distance to what is looked at, and about a pixel: nearer than a hand can tell."""
LIVE_LONGEST = 640
"""Longer side while training runs, which is to be left the machine."""
RULE = (232, 236, 241)


@dataclass(frozen=True, eq=False)
class Compared:
    """A photo and what was drawn in its place, as bytes."""

    photo: UInt8[np.ndarray, "h w 3"]
    render: UInt8[np.ndarray, "h w 3"]
    error: UInt8[np.ndarray, "h w 3"]
    psnr: float


def compare(view: View, render: Callable[[Any, Any], Any], splats: Any) -> Compared:
    """The photo of `view` beside `splats` as its camera sees them; PSNR as `evaluate` has it."""
    from splatting.evaluation import masked_psnr

    photo, kept = view.image(), view.kept()
    drawn = np.clip(render(splats, view.camera).rgb, 0, 1)
    error = np.abs(drawn - photo).mean(axis=2)
    if kept is not None:
        error = error * kept
    psnr = masked_psnr(drawn, photo, kept)
    return Compared(to_uint8(photo), to_uint8(drawn), heat(error), psnr)


def letterbox(width: int, height: int, room_w: int, room_h: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of the largest place of the shape `width` x `height` in the
    middle of a room.

    >>> letterbox(400, 300, 1000, 600)
    (100, 0, 800, 600)
    """
    scale = min(room_w / width, room_h / height)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    return (room_w - w) // 2, (room_h - h) // 2, w, h


def split(
    parts: Compared, shares: tuple[float, float], room_w: int, room_h: int, held_out: bool
) -> UInt8[np.ndarray, "room_h room_w 3"]:
    """Photo up to the first share of the width, render up to the second, error beyond."""
    from PIL import Image

    height, width = parts.photo.shape[:2]
    left, top, w, h = letterbox(width, height, room_w, room_h)
    canvas = np.empty((room_h, room_w, 3), np.uint8)
    canvas[:] = PAPER
    edges = [0, *(round(w * min(max(share, 0.0), 1.0)) for share in shares), w]
    names = ("photo, held out" if held_out else "photo", f"render {parts.psnr:.2f} dB", "error")
    labels = []
    pictures = (parts.photo, parts.render, parts.error)
    for name, picture, begin, end in zip(names, pictures, edges, edges[1:], strict=False):
        if end <= begin:
            continue
        fitted = Image.fromarray(picture).resize((w, h), Image.Resampling.LANCZOS)
        canvas[top : top + h, left + begin : left + end] = np.asarray(fitted)[:, begin:end]
        if begin > 0:
            canvas[top : top + h, left + begin - 1 : left + begin + 1] = RULE
        labels.append((name, left + begin, left + end))
    return write_labels(canvas, labels, top)


class PhotoSplit:
    """A takeover of the stage: shows the comparison to every client that stands at a photo."""

    def __init__(self, page: Page, on_score: Callable[[int, float], None]) -> None:
        self.shares = (1 / 3, 2 / 3)
        self._page = page
        self._on_score = on_score
        self._lock = threading.Lock()
        self._known: tuple[tuple[int, int], Compared] | None = None
        self._scores: dict[int, tuple[int, float]] = {}

    def __call__(self, camera: Any, _client: Any) -> Picture | None:
        index = self.standing_at(camera)
        if index is None:
            return None
        view = self._page.views[index]
        parts = self._compared(index)
        picture = split(parts, self.shares, camera.width, camera.height, view.split == "test")
        return flat(picture)

    def score(self, index: int) -> float | None:
        """PSNR of a photo, if it has been compared since the splats last changed."""
        version, psnr = self._scores.get(index, (-1, 0.0))
        return psnr if version == self._page.stage.version else None

    def standing_at(self, camera: Any) -> int | None:
        """The photo whose place and direction `camera` has; its field of view may differ."""
        positions, rotations, reach = self._places
        near = np.linalg.norm(positions - camera.position_world, axis=1) < reach
        for index in np.flatnonzero(near):
            turned = np.trace(camera.cam_from_world[:3, :3] @ rotations[index].T)
            if np.arccos(np.clip(0.5 * (turned - 1.0), -1, 1)) < SAME_ANGLE_RAD:
                return int(index)
        return None

    @functools.cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position, rotation and tolerance of each photo."""
        poses = self._page.poses
        rotations = [view.camera.cam_from_world[:3, :3] for view in self._page.views]
        distances = [np.linalg.norm(pose.look_at - pose.position) for pose in poses]
        positions = np.array([pose.position for pose in poses])
        return positions, np.array(rotations), SAME_PLACE * np.array(distances)

    def _compared(self, index: int) -> Compared:
        stage = self._page.stage
        key = index, stage.version
        with self._lock:
            if self._known is None or self._known[0] != key:
                view = self._page.views[index]
                if stage.live:
                    view = _smaller(view, LIVE_LONGEST)
                self._known = key, compare(view, stage.render, stage.splats)
                self._scores[index] = stage.version, self._known[1].psnr
                self._on_score(index, self._known[1].psnr)
            return self._known[1]


def _smaller(view: View, longest: int) -> View:
    camera = view.camera
    shrink = longest / max(camera.width, camera.height)
    if shrink >= 1.0:
        return view
    size = round(camera.width * shrink), round(camera.height * shrink)
    return replace(view, camera=camera.resized(*size))
