"""Cameras that look at an animal: perspective and weak perspective, from every side and height.

A view holds what a camera sees and the same points in its axes (OpenCV: x right, y down, z
forward), which is what the lifter is to find.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

DISTANCES = np.arange(1.0, 10.0, 0.5)
"""Diagonals of the clip's box between a camera that frames it and its middle, nearest first."""
_FOCAL = 1050.0 / 1080.0
"""35 mm on 36 mm of film, over the width of the picture."""


@dataclass(frozen=True)
class ViewConfig:
    """From where cameras look. Angles in radians."""

    elevation_rad: tuple[float, float] | None = None
    """Least and most; None for the mixture of training, level views most often, then any."""
    roll_rad: float = 0.14
    """Standard deviation of the turn about the optical axis."""
    distance: tuple[float, float] = (0.9, 8.0)
    """Least and most distance over the diagonal of the clip's box, log-uniform."""
    weak: float = 0.25
    """Share of views without perspective."""
    follows: float = 0.15
    """Share of cameras that move with the animal."""
    any_roll: float = 0.05
    """Share of cameras turned by any angle."""
    framed: float = 0.4
    """Where no elevation is given, the share of cameras that stand as people place them: still,
    level, about upright, and as near as a usual lens allows without anything leaving the picture.
    There perspective says most: the nearer leg looks longer."""


@dataclass(frozen=True, eq=False)
class View:
    """A clip as a camera sees it."""

    xy: Float64[np.ndarray, "t j 2"]
    """On the plane at distance 1, or in units of the clip without perspective."""
    xyz_cam: Float64[np.ndarray, "t j 3"]
    up_cam: Float64[np.ndarray, "3"]
    """Against gravity, in the camera's axes."""
    elevation_rad: float
    """Above the horizon."""


def look_from(
    azimuth_rad: float, elevation_rad: float, roll_rad: float, up: Float64[np.ndarray, "3"]
) -> Float64[np.ndarray, "3 3"]:
    """Rotation from the world to a camera that looks at the origin from a direction.

    >>> look_from(0.0, 0.0, 0.0, np.array([0.0, 1.0, 0.0])).round(6) + 0.0
    array([[ 0.,  0.,  1.],
           [ 0., -1.,  0.],
           [ 1.,  0.,  0.]])
    """
    up = up / np.linalg.norm(up)
    east = np.array([1.0, 0.0, 0.0]) if abs(up[0]) < 0.9 else np.array([0.0, 0.0, 1.0])
    east = east - up * (up @ east)
    east /= np.linalg.norm(east)
    north = _cross(up, east)
    ground = np.cos(azimuth_rad) * east + np.sin(azimuth_rad) * north
    forward = np.cos(elevation_rad) * ground - np.sin(elevation_rad) * up
    right = _cross(ground, up)  # also of a camera that looks straight down
    down = _cross(forward, right)
    c, s = np.cos(roll_rad), np.sin(roll_rad)
    return np.stack([c * right + s * down, -s * right + c * down, forward])


def random_view(
    xyz: Float64[np.ndarray, "t j 3"],
    up: Float64[np.ndarray, "3"],
    rng: np.random.Generator,
    config: ViewConfig = ViewConfig(),
) -> View:
    """A clip through a camera drawn at random."""
    if config.elevation_rad is None and rng.random() < config.framed:
        return _framed_at_random(xyz, up, rng)
    elevation = _elevation(rng, config)
    any_roll = rng.random() < config.any_roll
    roll = rng.uniform(-np.pi, np.pi) if any_roll else rng.normal(0.0, config.roll_rad)
    rotation = look_from(rng.uniform(0, 2 * np.pi), elevation, roll, up)
    if rng.random() < config.follows:
        xyz = xyz - _smoothed(xyz.mean(axis=1))[:, None]
    near, far = config.distance
    distance = float(np.exp(rng.uniform(np.log(near), np.log(far))))
    weak = rng.random() < config.weak
    return view_of(xyz, rotation, up, np.inf if weak else distance, elevation)


def view_of(
    xyz: Float64[np.ndarray, "t j 3"],
    rotation: Float64[np.ndarray, "3 3"],
    up: Float64[np.ndarray, "3"],
    distance: float,
    elevation_rad: float = 0.0,
) -> View:
    """A clip seen by a camera that stands still and looks at the middle of its box, `distance`
    diagonals of that box away; infinite for weak perspective. Nothing comes nearer than a fifth of
    that."""
    flat = xyz.reshape(-1, 3)
    low, high = flat.min(axis=0), flat.max(axis=0)
    size = float(np.linalg.norm(high - low))
    cam = (xyz - (low + high) / 2) @ rotation.T
    up_cam = rotation @ (up / np.linalg.norm(up))
    if np.isinf(distance):
        return View(cam[..., :2] / size, cam, up_cam, elevation_rad)
    away = max(distance * size, 1.25 * -float(cam[..., 2].min()))
    cam = cam + np.array([0.0, 0.0, away])
    return View(cam[..., :2] / cam[..., 2:], cam, up_cam, elevation_rad)


def framed(
    xyz: Float64[np.ndarray, "t j 3"],
    rotation: Float64[np.ndarray, "3 3"],
    up: Float64[np.ndarray, "3"],
) -> View:
    """A clip seen by a still camera of a 35 mm lens, aimed at the middle of the clip's box from the
    nearest of `DISTANCES` at which all points are in the picture, as AnimalSyn3D sets it up."""
    elevation = float(np.arcsin(np.clip(-rotation[2] @ up / np.linalg.norm(up), -1.0, 1.0)))
    for distance in DISTANCES:
        view = view_of(xyz, rotation, up, distance, elevation)
        if (np.abs(view.xy) * _FOCAL <= 0.5).all():
            return view
    return view


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of two vectors alone; numpy's is made for many, and takes its time to find out."""
    (x, y, z), (u, v, w) = a, b
    return np.array([y * w - z * v, z * u - x * w, x * v - y * u])


def _framed_at_random(
    xyz: Float64[np.ndarray, "t j 3"], up: Float64[np.ndarray, "3"], rng: np.random.Generator
) -> View:
    azimuth = rng.uniform(0, 2 * np.pi)
    elevation, roll = np.clip(rng.normal(0.0, (0.1, 0.04)), -0.3, 0.3)
    return framed(xyz, look_from(azimuth, elevation, roll, up), up)


def _elevation(rng: np.random.Generator, config: ViewConfig) -> float:
    if config.elevation_rad is not None:
        return float(rng.uniform(*config.elevation_rad))
    kind = rng.random()
    if kind < 0.5:
        return float(np.clip(rng.normal(0.12, 0.22), -0.6, 1.2))
    if kind < 0.85:
        return float(rng.uniform(-0.35, np.pi / 2))
    return float(rng.uniform(1.2, np.pi / 2))


def _smoothed(path: np.ndarray) -> np.ndarray:
    """A path without its quick part, as a person follows an animal."""
    reach = min(len(path) - 1, 10)
    kernel = np.hanning(2 * reach + 3)[1:-1]
    kernel /= kernel.sum()
    padded = np.pad(path, ((reach, reach), (0, 0)), "edge")
    return np.stack([np.convolve(column, kernel, "valid") for column in padded.T], axis=1)
