"""Camera paths for films: through the cameras of a scene, around what they look at, between key
frames, or from a file.

The first two start from the scene's own cameras, so that they stay where the scene was seen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from data.camera import Camera
from data.errors import UserError
from data.random_points import looking_distance


def through(cameras: Sequence[Camera], frames: int) -> list[Camera]:
    """A smooth path through all `cameras` in their order: positions along a cubic spline,
    directions along the great circles between them."""
    from scipy.interpolate import CubicSpline
    from scipy.spatial.transform import Rotation, Slerp

    first = cameras[0]
    if len(cameras) == 1:
        return [first] * frames
    keys = np.arange(len(cameras), dtype=float)
    times = np.linspace(0, len(cameras) - 1, frames)
    positions = CubicSpline(keys, np.array([c.position_world for c in cameras]))(times)
    rotations = Slerp(keys, Rotation.from_matrix([c.cam_from_world[:3, :3] for c in cameras]))
    matrices = rotations(times).as_matrix()
    return [_placed(first, m, p) for m, p in zip(matrices, positions, strict=True)]


def around(cameras: Sequence[Camera], frames: int) -> list[Camera]:
    """One round along the ellipse that fits the cameras' positions best, looking at what they look
    at."""
    positions = np.array([camera.position_world for camera in cameras])
    forward = np.array([camera.cam_from_world[2, :3] for camera in cameras])
    up = -np.mean([camera.cam_from_world[1, :3] for camera in cameras], axis=0)
    up /= np.linalg.norm(up)
    focus = np.median(positions + looking_distance(cameras) * forward, axis=0)
    centre = positions.mean(0)
    flat = positions - centre
    flat -= np.outer(flat @ up, up)
    _, sizes, axes = np.linalg.svd(flat, full_matrices=True)
    # a row of cameras has no width: the ellipse gets a tenth of its length
    half = np.sqrt(2.0 * np.maximum(sizes[:2], 0.1 * sizes[0]) ** 2 / len(cameras))
    major = axes[0] if sizes[0] > 1e-9 else np.cross(up, forward[0])
    minor = np.cross(up, major)
    angles = 2 * np.pi * np.arange(frames) / frames
    path = centre + half[0] * np.cos(angles)[:, None] * major
    path = path + half[1] * np.sin(angles)[:, None] * minor
    return [looking(cameras[0], place, focus, up) for place in path]


def between(keys: Sequence[Camera], frames: int, closed: bool = False) -> list[Camera]:
    """A smooth path that passes through the key frames, of the size of the first; `closed` returns
    to it.

    Positions follow a cubic spline with continuous acceleration, rotations one with continuous
    angular acceleration, focal lengths a monotone one, so that none of them jerks or leaves the
    range of its keys without need. A leg takes time for its way and its turn: the pace is even.
    """
    from scipy.interpolate import CubicSpline, PchipInterpolator
    from scipy.spatial.transform import Rotation, RotationSpline

    count, first = len(keys), keys[0]
    if count == 1 or frames == 1:
        return [first] * frames
    # a closed path runs a lap before and after what is taken of it, so that its ends meet smoothly
    around_it = [keys[i % count] for i in range(-count, 2 * count + 1)] if closed else list(keys)
    positions = np.array([key.position_world for key in around_it])
    rotations = Rotation.from_matrix([key.cam_from_world[:3, :3].T for key in around_it])
    ways = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    turns = (rotations[:-1].inv() * rotations[1:]).magnitude()
    usual = float(np.median(ways[ways > 0])) if np.any(ways > 0) else 1.0
    knots = np.r_[0.0, np.cumsum(np.maximum(ways / usual + turns, 1e-3))]
    begin, end = (knots[count], knots[2 * count]) if closed else (knots[0], knots[-1])
    times = np.linspace(begin, end, frames, endpoint=not closed)
    places = CubicSpline(knots, positions, bc_type="natural")(times)
    matrices = RotationSpline(knots, rotations)(times).as_matrix()
    # seen through one size: focal lengths in heights of the picture
    focal = np.log([key.K[1, 1] / key.height for key in around_it])
    heights = np.exp(PchipInterpolator(knots, focal)(times))
    return [
        _placed(_with_focal(first, h * first.height), m.T, p)
        for h, m, p in zip(heights, matrices, places, strict=True)
    ]


def looking(
    lens: Camera,
    position: Float64[np.ndarray, "3"],
    target: Float64[np.ndarray, "3"],
    up: Float64[np.ndarray, "3"],
) -> Camera:
    """A camera like `lens` at `position` that looks at `target`."""
    forward = target - position
    forward = forward / max(float(np.linalg.norm(forward)), 1e-12)
    right = np.cross(forward, up)
    right = right / max(float(np.linalg.norm(right)), 1e-12)
    return _placed(lens, np.stack([right, np.cross(forward, right), forward]), position)


def from_json(
    path: Path,
    width: int | None = None,
    height: int | None = None,
    origin_world: Sequence[float] = (0.0, 0.0, 0.0),
) -> list[Camera]:
    """The cameras of a nerfstudio camera path (`camera_path` with `camera_to_world` and `fov`, x
    right, y up, z back) at its own size or another, in a world whose zero is at `origin_world` of
    the file's; UserError for anything else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        wide = width or int(content["render_width"])
        high = height or int(content["render_height"])
        if not (0 < wide < 1 << 15 and 0 < high < 1 << 15):
            raise ValueError(f"a size of {wide} x {high}")
        if (kind := content.get("camera_type", "perspective")) != "perspective":
            raise ValueError(f"the camera type {kind!r}, not 'perspective'")
        origin = np.array(origin_world)
        cameras = [_from_entry(entry, wide, high, origin) for entry in content["camera_path"]]
        if not cameras:
            raise ValueError("no camera")
    except OSError as error:
        raise UserError(f"{path}: expected a readable file, found: {error.strerror}") from None
    except (
        ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError,
    ) as error:  # fmt: skip
        raise UserError(
            f"{path}: expected a camera path of nerfstudio (render_width, render_height, "
            f"camera_path), found: {error}"
        ) from None
    return cameras


def to_json(
    cameras: Sequence[Camera],
    frames_per_second: float,
    keys: Sequence[Camera] = (),
    closed: bool = False,
    origin_world: Sequence[float] = (0.0, 0.0, 0.0),
) -> str:
    """A camera path as nerfstudio writes it, which `from_json` reads back; the file's zero is that
    of the model, `origin_world` is where the cameras' stands in it."""

    def pose(camera: Camera) -> list[float]:
        world_from_cam = camera.world_from_cam @ np.diag([1.0, -1.0, -1.0, 1.0])
        world_from_cam[:3, 3] += origin_world
        return world_from_cam.ravel().tolist()

    first = cameras[0]
    lens = [(float(np.degrees(c.fov_y_rad)), c.width / c.height) for c in (*cameras, *keys)]
    path = [
        {"camera_to_world": pose(camera), "fov": fov, "aspect": aspect}
        for camera, (fov, aspect) in zip(cameras, lens, strict=False)
    ]
    keyframes = [
        {"matrix": pose(key), "fov": fov, "aspect": aspect}
        for key, (fov, aspect) in zip(keys, lens[len(cameras) :], strict=True)
    ]
    content = {
        "camera_type": "perspective",
        "render_width": first.width,
        "render_height": first.height,
        "fps": frames_per_second,
        "seconds": len(cameras) / frames_per_second,
        "is_cycle": closed,
        "keyframes": keyframes,
        "camera_path": path,
    }
    return json.dumps(content) + "\n"


def _from_entry(entry: dict[str, Any], width: int, height: int, origin: np.ndarray) -> Camera:
    pose = np.array(entry["camera_to_world"], np.float64).reshape(4, 4)
    fov = float(entry["fov"])
    if not (np.isfinite(pose).all() and 0 < fov < 180):
        raise ValueError(f"a pose or a field of view of {fov} degrees that cannot be")
    focal = 0.5 * height / np.tan(0.5 * np.radians(fov))
    k = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    rotation = pose[:3, :3] @ np.diag([1.0, -1.0, -1.0])
    return _placed(Camera(k, np.eye(4), width, height), rotation.T, pose[:3, 3] - origin)


def _with_focal(lens: Camera, focal_px: float) -> Camera:
    k = lens.K.copy()
    k[0, 0] *= focal_px / lens.K[1, 1]
    k[1, 1] = focal_px
    return replace(lens, K=k)


def _placed(lens: Camera, rotation: np.ndarray, position: np.ndarray) -> Camera:
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = -rotation @ position
    return replace(lens, cam_from_world=pose)
