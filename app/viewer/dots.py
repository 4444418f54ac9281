"""Points in the page: as lit balls where there are few, as discs where there are many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from data.stick_figure import icosphere

if TYPE_CHECKING:
    from viser import SceneApi

BALLS = 4096
"""More points are discs."""


class Dots:
    """One set of points under one name; `size` is a diameter in units of the page."""

    def __init__(
        self,
        scene: SceneApi,
        name: str,
        xyz: Float[np.ndarray, "n 3"],
        rgb: UInt8[np.ndarray, "n 3"],
        size: float,
    ) -> None:
        xyz = xyz.astype(np.float32)
        self._count = len(xyz)
        self._balls = self._discs = None
        if self._count <= BALLS:
            ball, faces = icosphere(1)
            self._balls = scene.add_batched_meshes_simple(
                name,
                ball.astype(np.float32),
                faces,
                batched_wxyzs=np.tile(np.array([1.0, 0, 0, 0], np.float32), (self._count, 1)),
                batched_positions=xyz,
                batched_scales=self._scales(size),
                batched_colors=rgb,
                lod="off",
                receive_shadow=False,
            )
        else:
            self._discs = scene.add_point_cloud(
                name,
                xyz,
                rgb,
                point_size=size,
                point_shape="circle",
                precision="float32",
                point_shading="flat",
            )

    def paint(self, rgb: UInt8[np.ndarray, "n 3"]) -> None:
        """Other colours."""
        if self._balls is not None:
            self._balls.batched_colors = rgb
        elif self._discs is not None:
            self._discs.colors = rgb

    def resize(self, size: float) -> None:
        """Another size."""
        if self._balls is not None:
            self._balls.batched_scales = self._scales(size)
        elif self._discs is not None:
            self._discs.point_size = size

    def _scales(self, size: float) -> np.ndarray:
        return np.full(self._count, 0.5 * size, np.float32)
