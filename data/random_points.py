"""Points for a scene that has none: drawn at random where several cameras look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from data.camera import Camera
from data.clouds import PointCloud

ANYWHERE, BEHIND = (0.3, 3.0), (1.0, 4.0)
"""Between which shares of the distance to what the cameras look at depths are drawn, evenly in
their logarithm."""
GREY = 128
"""The colour of a point that nobody saw."""


def random_points(
    cameras: Sequence[Camera],
    count: int = 20_000,
    depths: tuple[float, float] = ANYWHERE,
    seed: int = 0,
) -> PointCloud:
    """`count` grey points inside the cameras' view, seen by at least two of them where that can
    be."""
    rng = np.random.default_rng(seed)
    distance = looking_distance(cameras)
    near_far = (depths[0] * distance, depths[1] * distance)
    kept: list[np.ndarray] = []
    rest = count
    for _ in range(8):
        drawn = _in_frusta(cameras, 2 * count, near_far, rng)
        seen = sum(_inside(camera, drawn).astype(int) for camera in cameras)
        kept.append(drawn[seen >= 2][:rest])
        rest -= len(kept[-1])
        if not rest:
            break
    kept.append(_in_frusta(cameras, rest, near_far, rng))  # cameras that share nothing
    return PointCloud(np.concatenate(kept), np.full((count, 3), GREY, np.uint8))


def looking_distance(cameras: Sequence[Camera]) -> float:
    """Median distance from the cameras to the point that is nearest to all their axes; five times
    their spread where they look apart."""
    positions = np.array([camera.position_world for camera in cameras])
    forward = np.array([camera.cam_from_world[2, :3] for camera in cameras])
    across = np.eye(3) - forward[:, :, None] * forward[:, None, :]
    # a little of every direction: parallel axes leave the point open along themselves
    normal = across.sum(0) + 1e-6 * len(cameras) * np.eye(3)
    right = (across @ positions[:, :, None]).sum(0)[:, 0] + 1e-6 * positions.sum(0)
    focus = np.linalg.solve(normal, right)
    depths = np.einsum("ci,ci->c", forward, focus - positions)
    spread = float(np.median(np.linalg.norm(positions - np.median(positions, 0), axis=1)))
    ahead = float(np.median(depths))
    return ahead if ahead > 1e-3 * max(spread, 1e-12) else max(5.0 * spread, 1.0)


def _in_frusta(
    cameras: Sequence[Camera],
    count: int,
    near_far: tuple[float, float],
    rng: np.random.Generator,
) -> Float64[np.ndarray, "count 3"]:
    """Random pixels of random cameras, at random depths."""
    chosen = rng.integers(len(cameras), size=count)
    u, v, t = rng.random((3, count))
    near, far = near_far
    depth = near * (far / near) ** t
    world = np.empty((count, 3))
    for index, camera in enumerate(cameras):
        rows = np.flatnonzero(chosen == index)
        k = camera.K
        x = (u[rows] * camera.width - k[0, 2]) / k[0, 0]
        y = (v[rows] * camera.height - k[1, 2]) / k[1, 1]
        points = np.stack([x, y, np.ones(len(rows))], -1) * depth[rows, None]
        pose = camera.world_from_cam
        world[rows] = points @ pose[:3, :3].T + pose[:3, 3]
    return world


def _inside(camera: Camera, points: Float64[np.ndarray, "n 3"]) -> np.ndarray:
    """Whether the camera sees each point."""
    xyz = points @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
    pixels = xyz @ camera.K.T
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = pixels[:, :2] / pixels[:, 2:]
    size = (camera.width, camera.height)
    return (xyz[:, 2] > 0) & ((pixels >= 0) & (pixels < size)).all(1)
