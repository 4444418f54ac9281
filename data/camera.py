"""Camera: an undistorted pinhole in OpenCV axes; everything after loading speaks of these."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera: x right, y down, z forward; pixel centres at +0.5; `K` in pixels."""

    K: Float64[np.ndarray, "3 3"]
    """Intrinsics in pixels, no skew."""
    cam_from_world: Float64[np.ndarray, "4 4"]
    """Rigid transform, as COLMAP stores it."""
    width: int
    height: int

    @property
    def world_from_cam(self) -> Float64[np.ndarray, "4 4"]:
        """Inverse of `cam_from_world`."""
        rotation = self.cam_from_world[:3, :3]
        inverse = np.eye(4)
        inverse[:3, :3] = rotation.T
        inverse[:3, 3] = -rotation.T @ self.cam_from_world[:3, 3]
        return inverse

    @property
    def position_world(self) -> Float64[np.ndarray, "3"]:
        """Optical centre in world coordinates."""
        return self.world_from_cam[:3, 3]

    @property
    def fov_y_rad(self) -> float:
        """Vertical field of view in radians."""
        return float(2 * np.arctan(0.5 * self.height / self.K[1, 1]))

    def resized(self, width: int, height: int) -> Camera:
        """The same camera for an image of another size; `K` follows the ratio on each axis."""
        scale = np.diag([width / self.width, height / self.height, 1.0])
        return replace(self, K=scale @ self.K, width=width, height=height)
