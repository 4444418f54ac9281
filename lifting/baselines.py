"""Ways to lift without learning, in one interface: tracks (t, j, 2) without gaps to places (t, j,
3) in the camera's axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64

from lifting.cameras import View
from lifting.factorisation import block_matrix, rigid, trajectory_basis

Lift = Callable[[Float64[np.ndarray, "t j 2"]], Float64[np.ndarray, "t j 3"]]


def flat(xy: Float64[np.ndarray, "t j 2"]) -> Float64[np.ndarray, "t j 3"]:
    """The picture itself: no depth at all."""
    return np.concatenate([xy, np.zeros_like(xy[..., :1])], axis=2)


BASELINES: dict[str, Lift] = {
    "flat": flat,
    "rigid": rigid,
    "bmm": block_matrix,
    "pta": trajectory_basis,
}


class Retrieval:
    """Remembers poses of one rig from many sides, and answers each frame with the nearest.

    It must have seen the very rig: what it gets is the bar for rigs that were trained on.
    """

    def __init__(self, views: Sequence[View]) -> None:
        from scipy.spatial import KDTree

        self._poses = np.concatenate([view.xyz_cam for view in views])
        self._tree = KDTree(_descriptor(np.concatenate([view.xy for view in views])))

    def __call__(self, xy: Float64[np.ndarray, "t j 2"]) -> Float64[np.ndarray, "t j 3"]:
        _, nearest = self._tree.query(_descriptor(xy))
        poses = self._poses[nearest]
        return poses - poses.mean(axis=1, keepdims=True)


def filled(xy: Float64[np.ndarray, "t j 2"]) -> Float64[np.ndarray, "t j 2"]:
    """Tracks with gaps filled along time, and joints never seen in the middle of the others: what a
    baseline is given where points are hidden."""
    found = np.array(xy, np.float64)
    times = np.arange(len(found))
    for joint in range(found.shape[1]):
        seen = np.isfinite(found[:, joint, 0])
        if seen.any():
            for axis in range(2):
                found[:, joint, axis] = np.interp(times, times[seen], found[seen, joint, axis])
    middle = np.nanmean(found, axis=1, keepdims=True)
    return np.where(np.isnan(found), middle, found)


def _descriptor(xy: np.ndarray) -> np.ndarray:
    near = xy - xy.mean(axis=1, keepdims=True)
    size = np.sqrt((near**2).sum(axis=(1, 2), keepdims=True))
    return (near / np.maximum(size, 1e-12)).reshape(len(xy), -1)
