"""The depth of COLMAP's sparse points as a part of the loss: where few photos leave room for
several shapes, the triangulated points say which one it was (as in gsplat's trainer).

At each point that a photo observes, |D / A - z| / z, with D the rendered sum of weights times
depth, A the alpha and z the depth of the point: relative, so that near and far count alike, and
of absolute values, so that a wrong point pulls no harder than a right one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from data.camera import Camera
from data.scene import Scene
from splatting.cpu.pipeline import Frame

LEAST_ALPHA = 0.5
"""Where less was drawn, there is no depth to compare."""


@dataclass(frozen=True, eq=False)
class SparseDepth:
    """For each training view, the points that it observes: directions (x / z, y / z) in the frame
    of the camera, and depths z."""

    directions: tuple[Float32[np.ndarray, "k 2"], ...]
    depths: tuple[Float32[np.ndarray, "k"], ...]

    @staticmethod
    def of(scene: Scene) -> SparseDepth | None:
        """Those of `scene.train`; None for a model without tracks."""
        directions, depths = [], []
        for view in scene.train:
            seen = np.empty(0, np.int64) if view.seen is None else view.seen
            pose = view.camera.cam_from_world
            xyz = scene.points.xyz[seen] @ pose[:3, :3].T + pose[:3, 3]
            xyz = xyz[xyz[:, 2] > 0]
            directions.append((xyz[:, :2] / xyz[:, 2:]).astype(np.float32))
            depths.append(xyz[:, 2].astype(np.float32))
        if not any(map(len, depths)):
            return None
        return SparseDepth(tuple(directions), tuple(depths))

    def add_slopes(
        self,
        view: int,
        camera: Camera,
        frame: Frame,
        weight: float,
        d_alpha: Float32[np.ndarray, "h w"],
        d_depth: Float32[np.ndarray, "h w"],
    ) -> float:
        """`weight` times the mean over the points of `view`, for a `frame` drawn with `camera` at
        any size; its slopes by alpha and depth are added to `d_alpha` and `d_depth`."""
        size = np.array([camera.width, camera.height])
        k = camera.K
        pixels = self.directions[view] @ k[:2, :2].T.astype(np.float32) + k[:2, 2]
        pixels = np.floor(pixels).astype(np.int64)
        inside = ((pixels >= 0) & (pixels < size)).all(axis=1)
        x, y = pixels[inside].T
        z = self.depths[view][inside]
        alpha = 1.0 - frame.transmittance[y, x]
        drawn = alpha >= LEAST_ALPHA
        x, y, z, alpha = x[drawn], y[drawn], z[drawn], alpha[drawn]
        if not len(z):
            return 0.0
        depth = frame.depth[y, x]
        error = depth / alpha - z
        slope = np.float32(weight / len(z)) * np.sign(error) / (z * alpha)
        np.add.at(d_depth, (y, x), slope)
        np.add.at(d_alpha, (y, x), -slope * depth / alpha)
        return weight * float(np.mean(np.abs(error) / z))
