"""The point of the scene under a click: as deep as the exact render is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float64

from data.camera import Camera

LEAST_ALPHA = 0.5
"""Where less is drawn, there is nothing to measure to."""
_WINDOW_PX = 17
"""Odd: the middle of its middle pixel lies on the ray."""


def point_under(
    render: Callable[[Any, Camera], Any],
    splats: Any,
    origin: Float64[np.ndarray, "3"],
    direction: Float64[np.ndarray, "3"],
    focal_px: float,
) -> tuple[Float64[np.ndarray, "3"] | None, float]:
    """Where a ray meets what is drawn (None where that is too faint), and how opaque it is.

    A small picture is drawn by a camera that looks along the ray, with the focal length of the
    page, so that splats are as wide in pixels as they are there. Depth is the mean over what paints
    the pixel, as everywhere.
    """
    drawn = render(splats, _along(origin, direction, focal_px))
    middle = _WINDOW_PX // 2
    alpha = float(drawn.alpha[middle, middle])
    if alpha < LEAST_ALPHA:
        return None, alpha
    distance = float(drawn.depth[middle, middle]) / alpha
    return origin + distance * direction / np.linalg.norm(direction), alpha


def _along(
    origin: Float64[np.ndarray, "3"], direction: Float64[np.ndarray, "3"], focal_px: float
) -> Camera:
    forward = direction / np.linalg.norm(direction)
    sideways = np.cross(forward, np.eye(3)[int(np.argmin(np.abs(forward)))])
    right = sideways / np.linalg.norm(sideways)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = -pose[:3, :3] @ origin
    half = 0.5 * _WINDOW_PX
    k = np.array([[focal_px, 0, half], [0, focal_px, half], [0, 0, 1]])
    return Camera(k, pose, _WINDOW_PX, _WINDOW_PX)
