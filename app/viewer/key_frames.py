"""Key frames of a camera path: where they stand, their order, and the line through them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from app.viewer.cameras import camera_from_pose, pose_from_camera
from splatting.camera_paths import between

if TYPE_CHECKING:
    from app.viewer.page import Page
    from data.camera import Camera

KEY_COLOUR, CHOSEN_COLOUR = (126, 231, 135), (255, 196, 64)
LINE_POINTS = 24
"""Of the line between two key frames."""
_SIZE = 1000
"""Pixels of a side where only the pose and the field of view matter."""


@dataclass(frozen=True, eq=False)
class KeyFrame:
    """A view of the scene that a path passes; scene units."""

    wxyz: Float64[np.ndarray, "4"]
    position: Float64[np.ndarray, "3"]
    fov_y_rad: float
    distance: float
    """To the point that the camera was turned about."""

    def camera(self, width: int = _SIZE, height: int = _SIZE) -> Camera:
        """What it sees in a picture of this size."""
        return camera_from_pose(self.wxyz, self.position, self.fov_y_rad, width, height)


def seen_by(client: Any, scale: float) -> KeyFrame:
    """The view of a client, whose page has `scale` units in one of the scene."""
    camera = client.camera
    position, look_at = (np.array(p, np.float64) / scale for p in (camera.position, camera.look_at))
    distance = float(np.linalg.norm(look_at - position))
    return KeyFrame(np.array(camera.wxyz), position, float(camera.fov), distance)


def bring(client: Any, camera: Camera, scale: float, distance: float) -> None:
    """Have a client see what `camera` sees, and turn about a point `distance` before it."""
    pose = pose_from_camera(camera, distance)
    with client.atomic():
        client.camera.up_direction = pose.up
        client.camera.position = scale * pose.position
        client.camera.look_at = scale * pose.look_at
        client.camera.fov = pose.fov_y_rad
    client.flush()


class KeyFrames:
    """The list, and how it is drawn in the scene."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.keys: list[KeyFrame] = []
        self.chosen = 0
        self._nodes: list[Any] = []
        self._drawing = threading.Lock()

    def add(self, key: KeyFrame) -> None:
        """After the chosen one, which the new one becomes."""
        self.chosen = min(self.chosen + 1, len(self.keys))
        self.keys.insert(self.chosen, key)

    def move(self, by: int) -> None:
        """The chosen one up or down the list."""
        other = self.chosen + by
        if 0 <= other < len(self.keys):
            self.keys[self.chosen], self.keys[other] = self.keys[other], self.keys[self.chosen]
            self.chosen = other

    def remove(self) -> None:
        """The chosen one."""
        if self.keys:
            del self.keys[self.chosen]
            self.chosen = max(0, min(self.chosen, len(self.keys) - 1))

    def cameras(self, width: int, height: int) -> list[Camera]:
        """The keys as cameras of one size."""
        return [key.camera(width, height) for key in self.keys]

    def draw(self, closed: bool, shown: bool) -> None:
        """A camera for each key, and the line that the path takes."""
        page, scene = self._page, self._page.server.scene
        shown = shown and bool(self.keys)
        with self._drawing, page.server.atomic():
            for node in self._nodes:
                node.remove()
            self._nodes = [self._frustum(index) for index in range(len(self.keys)) if shown]
            if shown and len(self.keys) > 1:
                points = page.scale * self._line(closed)
                self._nodes.append(
                    scene.add_line_segments(
                        "/edit/path/line",
                        np.stack([points[:-1], points[1:]], axis=1).astype(np.float32),
                        KEY_COLOUR,
                        thickness=2.5,
                        thickness_units="screen",
                    )
                )
        page.stage.want_depth("path", shown)
        page.wake()

    def _line(self, closed: bool) -> Float64[np.ndarray, "n 3"]:
        path = between(self.cameras(_SIZE, _SIZE), LINE_POINTS * len(self.keys), closed)
        line = np.array([camera.position_world for camera in path])
        return np.concatenate([line, line[:1]]) if closed else line

    def _frustum(self, index: int) -> Any:
        page, key = self._page, self.keys[index]
        frustum = page.server.scene.add_camera_frustum(
            f"/edit/path/{index}",
            fov=key.fov_y_rad,
            aspect=16 / 9,
            scale=0.5 * page.scale * page.frustum_size,
            thickness=2.0,
            thickness_units="screen",
            color=CHOSEN_COLOUR if index == self.chosen else KEY_COLOUR,
            wxyz=key.wxyz,
            position=page.scale * key.position,
            cast_shadow=False,
            receive_shadow=False,
        )
        frustum.on_click(lambda event: bring(event.client, key.camera(), page.scale, key.distance))
        return frustum
