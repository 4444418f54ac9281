"""Clouds bent in places: parts turned, stretched and moved each its own way, with no seam between.

PointWOLF (Kim et al. 2021, arXiv 2110.05379, eq. 1 to 5): at a few points of the cloud a linear map
is drawn, and every point goes where the mean of these maps takes it, weighted by a Gaussian of how
near their centres are, seen along some of the axes only.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

_CENTRES = 4
_WIDTH = 0.5
"""Of the Gaussian, in radii of the cloud."""
_TURN_RAD = np.radians(10.0)
_STRETCH = 3.0
_MOVE = 0.25
"""The most that a part does at strength 1, as published; moves are in radii of the cloud."""


def warped(
    cloud: Float[np.ndarray, "n 3"], strength: float, generator: np.random.Generator
) -> Float[np.ndarray, "n 3"]:
    """`cloud` with `strength` times the published changes.

    Stretches are drawn evenly in their logarithm, so that parts shrink as often as they grow.
    """
    xyz = np.asarray(cloud, np.float32)
    radius = max(float(np.abs(xyz - xyz.mean(0)).max()), 1e-12)
    centres = xyz[generator.integers(len(xyz), size=_CENTRES)]
    maps = _linear_maps(strength, generator)
    moves = generator.uniform(-1, 1, (_CENTRES, 3)) * (strength * _MOVE * radius)
    from_centre = xyz[:, None] - centres  # (n, centres, 3)
    seen = generator.integers(2, size=(_CENTRES, 3)).astype(np.float32)
    squares = ((from_centre * seen) ** 2).sum(-1) / (_WIDTH * radius) ** 2
    near = np.exp(-0.5 * (squares - squares.min(1, keepdims=True)))
    near /= near.sum(1, keepdims=True)
    taken = np.einsum("ncj,cij->nci", from_centre, maps) + (centres + moves)
    return np.einsum("nc,nci->ni", near, taken).astype(xyz.dtype)


def _linear_maps(strength: float, generator: np.random.Generator) -> Float[np.ndarray, "c 3 3"]:
    """A turn about each axis after a stretch of each, for every centre."""
    angles = generator.uniform(-1, 1, (3, _CENTRES)) * (strength * _TURN_RAD)
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        c, s = np.cos(angle), np.sin(angle)
        one = np.zeros((_CENTRES, 3, 3))
        one[:, axis, axis] = 1.0
        i, j = (axis + 1) % 3, (axis + 2) % 3
        one[:, i, i], one[:, i, j], one[:, j, i], one[:, j, j] = c, -s, s, c
        turn = one @ turn
    stretch = np.exp(generator.uniform(-1, 1, (_CENTRES, 1, 3)) * (strength * np.log(_STRETCH)))
    return (turn * stretch).astype(np.float32)
