"""The browser's camera and ours: viser speaks pose and vertical field of view, we speak K.

Both use OpenCV axes (x right, y down, z forward) and wxyz quaternions of world_from_cam, so only
the intrinsics need translating.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from data.camera import Camera

_ENOUGH = 50_000
"""Points that tell where a cloud lies as well as all of them do."""


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a browser camera stands; it orbits around `look_at`."""

    wxyz: Float[np.ndarray, "4"]
    position: Float[np.ndarray, "3"]
    look_at: Float[np.ndarray, "3"]
    up: Float[np.ndarray, "3"]
    fov_y_rad: float


def camera_from_pose(
    wxyz: Float[np.ndarray, "4"],
    position: Float[np.ndarray, "3"],
    fov_y_rad: float,
    width: int,
    height: int,
) -> Camera:
    """The pinhole of a browser canvas: square pixels, principal point in the middle."""
    import viser.transforms as transforms

    rotation = transforms.SO3(np.asarray(wxyz, np.float64)).as_matrix()
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = rotation.T
    cam_from_world[:3, 3] = -rotation.T @ np.asarray(position, np.float64)
    focal_px = 0.5 * height / np.tan(0.5 * fov_y_rad)
    K = np.array([[focal_px, 0, 0.5 * width], [0, focal_px, 0.5 * height], [0, 0, 1]])
    return Camera(K, cam_from_world, width, height)


def pose_from_camera(camera: Camera, distance: float = 1.0) -> Pose:
    """The browser pose of a camera that orbits a point `distance` scene units ahead of it."""
    import viser.transforms as transforms

    world_from_cam = camera.world_from_cam
    rotation, position = world_from_cam[:3, :3], world_from_cam[:3, 3]
    return Pose(
        wxyz=transforms.SO3.from_matrix(rotation).wxyz,
        position=position,
        look_at=position + distance * rotation[:, 2],
        up=-rotation[:, 1],
        fov_y_rad=camera.fov_y_rad,
    )


def orbit_distance(camera: Camera, xyz_world: Float[np.ndarray, "n 3"]) -> float:
    """Median depth of the points in the middle half of the picture; 1 when there are none."""
    xyz = xyz_world @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
    ahead = xyz[xyz[:, 2] > 1e-6]
    slope = np.abs(ahead[:, :2] / ahead[:, 2:])
    half = 0.25 * np.array([camera.width, camera.height]) / camera.K[[0, 1], [0, 1]]
    middle = ahead[np.all(slope < half, axis=1)]
    depths = (middle if len(middle) else ahead)[:, 2]
    return float(np.median(depths)) if len(depths) else 1.0


def reach(cameras: Sequence[Camera], xyz_world: Float[np.ndarray, "n 3"]) -> float:
    """How far the 99th of a hundred points lies from the middle of the cameras, and at least how
    far apart those stand; scene units."""
    positions = np.array([camera.position_world for camera in cameras])
    middle = np.median(positions, axis=0)
    apart = float(np.linalg.norm(positions - middle, axis=1).max())
    if not len(xyz_world):
        return apart
    return max(apart, float(np.quantile(np.linalg.norm(xyz_world - middle, axis=1), 0.99)))


def up_direction(cameras: Sequence[Camera]) -> Float[np.ndarray, "3"]:
    """Unit mean of the cameras' -y axes: people hold cameras upright."""
    mean = -np.mean([camera.cam_from_world[1, :3] for camera in cameras], axis=0)
    length = np.linalg.norm(mean)
    return mean / length if length > 1e-6 else np.array([0.0, -1.0, 0.0])


def pose_around(xyz_world: Float[np.ndarray, "n 3"], fov_y_rad: float = 0.9) -> Pose:
    """A first look at a cloud without cameras: from the front, slightly above, y down."""
    some = np.sort(xyz_world[:: max(1, len(xyz_world) // _ENOUGH)], axis=0)
    low, centre, high = some[[len(some) // 10, len(some) // 2, 9 * len(some) // 10]]
    distance = 1.5 * max(float(np.linalg.norm(high - low)), 1e-3)
    forward = np.array([0.0, 0.35, 1.0]) / np.hypot(0.35, 1.0)
    right = np.array([1.0, 0.0, 0.0])
    rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = rotation.T
    cam_from_world[:3, 3] = -rotation.T @ (centre - distance * forward)
    focal_px = 0.5 / np.tan(0.5 * fov_y_rad)
    K = np.array([[focal_px, 0, 0.5], [0, focal_px, 0.5], [0, 0, 1]])
    return pose_from_camera(Camera(K, cam_from_world, 1, 1), distance)
