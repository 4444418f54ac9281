"""A cloud of points in the page: thinned to what a browser holds, upright, on its floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from app.viewer.cloud_colours import can_be_lit, choices, lit, point_colours
from app.viewer.dots import Dots
from app.viewer.placement import grid_step
from data.clouds import PointCloud

if TYPE_CHECKING:
    from viser import ViserServer

PAGE_POINTS = 1_000_000
"""Sent to a page unless more are asked for: 15 MB."""
MOST_POINTS = 4_000_000
RADIUS = 2.0
"""Of a cloud in units of the page."""
UPS = {
    "+z": (0.0, 0.0, 1.0),
    "+y": (0.0, 1.0, 0.0),
    "-y": (0.0, -1.0, 0.0),
    "-z": (0.0, 0.0, -1.0),
    "+x": (1.0, 0.0, 0.0),
    "-x": (-1.0, 0.0, 0.0),
}
_SAMPLE = 20_000
_DIM = (58, 66, 78)


class CloudView:
    """Everything stands on the server's scene, for all pages alike; page axes have y up."""

    def __init__(self, server: ViserServer, cloud: PointCloud) -> None:
        self._server, self._scene = server, server.scene
        self.up = "+z"
        self.size = 1.0
        """Times the size that suits the cloud."""
        self.light = True
        self.dimmed = False
        self.show(cloud)

    def show(self, cloud: PointCloud) -> None:
        """Put another cloud in place."""
        self.cloud = cloud
        self.by = choices(cloud)[0]
        low, high = np.percentile(cloud.xyz[: 50 * _SAMPLE], [0.5, 99.5], axis=0)
        self.centre = (low + high) / 2
        half = float(np.linalg.norm(high - low)) / 2
        self.scale = RADIUS / half if half > 0 else 1.0
        rng = np.random.default_rng(0)
        self._order = rng.permutation(len(cloud)) if len(cloud) > PAGE_POINTS else None
        self.limit = min(len(cloud), PAGE_POINTS)
        self._spacing = spacing(self.placed(cloud.xyz[rng.permutation(len(cloud))[:_SAMPLE]]))
        self.draw()

    @property
    def shown(self) -> PointCloud:
        """The points that the page has: a random part of a cloud that is too large."""
        if self._order is None:
            return self.cloud
        return self.cloud.take(np.sort(self._order[: self.limit]))

    @property
    def grid_step(self) -> float:
        """Side of a square on the floor, in units of the cloud."""
        return grid_step(self.scale)

    @property
    def up_direction(self) -> Float64[np.ndarray, "3"]:
        """In the cloud's own axes."""
        return np.array(UPS[self.up])

    def placed(self, xyz: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
        """Places in units of the page, before anything is turned upright."""
        return (xyz - self.centre) * self.scale

    def draw(self) -> None:
        """Send the points, and stand them on their floor."""
        shown = self.shown
        placed = self.placed(shown.xyz)
        with self._server.atomic():
            self._frame = self._scene.add_frame("/cloud", show_axes=False, wxyz=self._upright())
            self._dots = Dots(
                self._scene, "/cloud/points", placed, self._colours(shown), self.point_size
            )
            self._floor(placed)

    def recolour(self) -> None:
        """Colours changed."""
        self._dots.paint(self._colours(self.shown))

    def resize(self) -> None:
        """The size of points changed."""
        self._dots.resize(self.point_size)

    def stand_up(self) -> None:
        """Another direction is up."""
        with self._server.atomic():
            self._frame.wxyz = self._upright()
            self._floor(self.placed(self.shown.xyz))
            self.recolour()

    def _colours(self, shown: PointCloud) -> np.ndarray:
        if self.dimmed:
            return np.tile(np.array(_DIM, np.uint8), (len(shown), 1))
        rgb = point_colours(shown, self.by, self.up_direction)
        if self.light and shown.normals is not None and can_be_lit(shown, self.by):
            return lit(rgb, shown.normals, self.up_direction)
        return rgb

    @property
    def point_size(self) -> float:
        """As wide as points lie apart, on average over the whole."""
        part = min(len(self.cloud), _SAMPLE) / max(min(self.limit, len(self.cloud)), 1)
        return float(np.clip(1.1 * self.size * self._spacing * np.sqrt(part), 1e-4, 0.2))

    def _upright(self) -> tuple[float, float, float, float]:
        """The turn (wxyz) from the cloud's up to the page's y."""
        half = 2**-0.5
        return {
            "+y": (1.0, 0.0, 0.0, 0.0),
            "-y": (0.0, 1.0, 0.0, 0.0),
            "+z": (half, -half, 0.0, 0.0),
            "-z": (half, half, 0.0, 0.0),
            "+x": (half, 0.0, 0.0, half),
            "-x": (half, 0.0, 0.0, -half),
        }[self.up]

    def _floor(self, placed: np.ndarray) -> None:
        step = self.grid_step * self.scale
        height = float(np.percentile(placed @ self.up_direction, 0.2))
        self._scene.add_grid(
            "/floor",
            plane="xz",
            position=(0.0, height, 0.0),
            cell_size=step,
            section_size=5 * step,
            cell_color=(48, 54, 61),
            section_color=(72, 79, 88),
            infinite_grid=True,
            fade_distance=8.0 * RADIUS,
            fade_from="origin",
        )


def spacing(xyz: Float64[np.ndarray, "n 3"]) -> float:
    """Median distance from a point to the next; 0.01 where there is none."""
    if len(xyz) < 2:
        return 0.01
    from data.neighbours import nearest

    found = float(np.median(nearest(xyz, xyz, 2)[0][:, 1]))
    return found if found > 0 else 0.01
