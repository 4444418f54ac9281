"""The colour of each joint: by side, by limb, by confidence, by reprojection error."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64, UInt8

from app.viewer.colour_maps import LEFT, MIDDLE, RIGHT, named, scaled
from data.motion import Motion
from data.skeleton import Skeleton

BY_SIDE, BY_LIMB, BY_CONFIDENCE, BY_ERROR = "side", "limb", "confidence", "error"
WORST_PX = 12.0
"""Reprojection errors from here on have the last colour."""


def choices(motion: Motion) -> tuple[str, ...]:
    """By what this clip can be coloured, the best first."""
    sided = bool(motion.skeleton.sides.any())
    found = [BY_SIDE, BY_LIMB] if sided else [BY_LIMB]
    if motion.confidence is not None:
        found.append(BY_CONFIDENCE)
    if motion.reprojection_px is not None:
        found.append(BY_ERROR)
    return tuple(found)


def joint_colours(motion: Motion, by: str, frame: int) -> UInt8[np.ndarray, "j 3"]:
    """One colour a joint; what depends on the frame is that of `frame`."""
    if by == BY_SIDE:
        return np.array([MIDDLE, RIGHT, LEFT], np.uint8)[motion.skeleton.sides]
    if by == BY_CONFIDENCE and motion.confidence is not None:
        return scaled(motion.confidence[frame], 0.0, 1.0)
    if by == BY_ERROR and motion.reprojection_px is not None:
        return scaled(motion.reprojection_px[frame], 0.0, WORST_PX, "turbo")
    return named(limbs(motion.skeleton))


def limbs(skeleton: Skeleton) -> Int64[np.ndarray, "j"]:
    """A number for each chain of joints between two places where the skeleton branches.

    >>> limbs(Skeleton.from_parents("abcdef", [-1, 0, 1, 1, 2, 3])).tolist()
    [0, 0, 1, 2, 1, 2]
    """
    parents = skeleton.parents
    children = np.bincount(parents[parents >= 0], minlength=len(skeleton))
    found = np.zeros(len(skeleton), np.int64)
    count = 0
    for joint in skeleton.order:
        parent = parents[joint]
        if parent >= 0 and children[parent] == 1:
            found[joint] = found[parent]
        else:
            found[joint] = count
            count += 1
    return found
