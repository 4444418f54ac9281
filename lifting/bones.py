"""Bones of one length: the last fit, without which no skeleton of a film or a game can hold a
motion."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from data.skeleton import Skeleton

_ROUNDS = 20


def constant_bones(
    xyz: Float64[np.ndarray, "t j 3"], skeleton: Skeleton
) -> Float64[np.ndarray, "t j 3"]:
    """The motion near `xyz` in which every bone of the skeleton's forest keeps its median length.

    Both ends of each bone give way, over and over (as cloth is simulated), so that joints move
    little; one walk from the roots outwards then makes the lengths exact.
    """
    parents = skeleton.parents
    bones = [(int(parents[j]), j) for j in skeleton.order if parents[j] >= 0]
    if not bones:
        return xyz.copy()
    lengths = {
        child: float(np.median(np.linalg.norm(xyz[:, child] - xyz[:, parent], axis=1)))
        for parent, child in bones
    }
    found = xyz.copy()
    for _ in range(_ROUNDS):
        for parent, child in bones:
            way, apart = _way(found[:, child] - found[:, parent])
            push = 0.5 * (apart - lengths[child])[:, None] * way
            found[:, parent] += push
            found[:, child] -= push
    for parent, child in bones:
        way, _ = _way(found[:, child] - found[:, parent])
        found[:, child] = found[:, parent] + lengths[child] * way
    return found


def _way(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions and lengths; along x where there is no direction."""
    apart = np.linalg.norm(step, axis=1)
    way = np.where(apart[:, None] > 0, step / np.maximum(apart, 1e-300)[:, None], [1.0, 0.0, 0.0])
    return way, apart
