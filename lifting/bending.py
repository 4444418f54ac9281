"""Poses and movements that no clip has: what hangs from a joint turns about it, smoothly over
time."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from data.skeleton import Skeleton

_MOST_JOINTS = 5
"""That bend in one clip."""
_MOST_TURNS = 2.0
"""Of a bend to and fro within a clip."""


def bent(
    xyz: Float64[np.ndarray, "t j 3"],
    skeleton: Skeleton,
    rng: np.random.Generator,
    angle: float,
) -> Float64[np.ndarray, "t j 3"]:
    """A clip with some joints bent, each by an angle that lasts and one that comes and goes, both
    of standard deviation `angle` (radians). Bones keep their lengths, and axes turn with the
    animal."""
    parents = skeleton.parents
    able = np.flatnonzero((parents >= 0) & np.isin(np.arange(len(parents)), parents))
    if not len(able):
        return xyz
    count = int(rng.integers(1, min(_MOST_JOINTS, len(able)) + 1))
    chosen = rng.choice(able, count, replace=False)
    turned = body_rotations(xyz)
    time = np.linspace(0.0, 1.0, len(xyz))
    found = xyz.copy()
    for joint in chosen.tolist():
        below = skeleton.below[joint]
        wave = np.sin(2 * np.pi * (rng.uniform(0.0, _MOST_TURNS) * time + rng.random()))
        angles = angle * (rng.standard_normal() + rng.standard_normal() * wave)
        axis = rng.standard_normal(3)
        axes = turned.apply(axis / np.linalg.norm(axis))
        rotation = Rotation.from_rotvec(angles[:, None] * axes).as_matrix()
        arms = found[:, below] - found[:, joint, None]
        found[:, below] = found[:, joint, None] + np.einsum("tab,tkb->tka", rotation, arms)
    return found


def body_rotations(xyz: Float64[np.ndarray, "t j 3"]) -> Rotation:
    """By how much the animal as a whole is turned in each frame, against the first (Kabsch)."""
    centred = xyz - xyz.mean(axis=1, keepdims=True)
    u, _, vt = np.linalg.svd(np.einsum("tja,jb->tab", centred, centred[0]))
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return Rotation.from_matrix(u @ vt)
