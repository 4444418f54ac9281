"""Small motions with bones of constant length, for the tests of files."""

from __future__ import annotations

import numpy as np

from data.motion import Motion
from data.skeleton import Skeleton

NAMES = ("hips", "spine", "head", "tail", "left_hip", "left_foot", "right_hip", "right_foot")
PARENTS = (-1, 0, 1, 0, 0, 4, 0, 6)
REST = np.array(
    [(0, 0, 0), (3, 1, 0), (2, 1, 0), (-2, 1, 0), (0, -1, 1), (0, -2, 0), (0, -1, -1), (0, -2, 0)]
)


def turn(axis: int, angle: np.ndarray) -> np.ndarray:
    """Rotations (t, 3, 3) about x, y or z."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    found = np.tile(np.eye(3), (len(angle), 1, 1))
    found[:, a, a] = found[:, b, b] = np.cos(angle)
    found[:, b, a], found[:, a, b] = np.sin(angle), -np.sin(angle)
    return found


def walker(frames: int = 40, name: str = "walk", rigid: bool = True, **more) -> Motion:
    """An animal on a circle; with `rigid` the hips carry their three children as one body."""
    time = np.linspace(0, 2 * np.pi, frames, endpoint=False)
    xyz = np.zeros((frames, len(NAMES), 3))
    turned = np.zeros((frames, len(NAMES), 3, 3))
    for joint, parent in enumerate(PARENTS):
        swing = turn(2, 0.5 * np.sin(2 * time + joint)) @ turn(0, 0.3 * np.cos(time + joint))
        if parent < 0:
            turned[:, joint] = turn(1, time) @ turn(0, 0.2 * np.sin(time))
            xyz[:, joint] = 6 * np.stack([np.sin(time), 0.1 * np.cos(time), np.cos(time)], 1)
            continue
        above = turned[:, parent] if rigid else turned[:, parent] @ swing
        xyz[:, joint] = xyz[:, parent] + above @ REST[joint]
        turned[:, joint] = turned[:, parent] @ swing
    return Motion(xyz, Skeleton.from_parents(NAMES, PARENTS), fps=24.0, name=name, **more)


def lengths(motion: Motion) -> np.ndarray:
    """Of the bones, (t, bones)."""
    a, b = motion.skeleton.edges.T
    return np.linalg.norm(motion.xyz[:, a] - motion.xyz[:, b], axis=2)


def in_order_of(read: Motion, written: Motion) -> np.ndarray:
    """The places that were read, in the order of the joints that were written."""
    return read.xyz[:, [read.skeleton.names.index(name) for name in written.skeleton.names]]
