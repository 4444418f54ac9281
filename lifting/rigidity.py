"""Edges of a skeleton that nobody gave, from how points move: what is rigid stays together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int64

from data.keypoints import Keypoints2D

_FAR = 0.9
"""Quantile of the distances over time that stands for a pair's length: in the picture a bone is
never longer than it is, and an outlier is."""


def with_edges(animals: Sequence[Keypoints2D]) -> list[Keypoints2D]:
    """Animals with edges: those without are given the tree that fits the tracks of all animals of
    the same joints, so that they have one skeleton."""
    bare = [animal for animal in animals if animal.edges is None]
    found = {
        names: infer_edges(np.concatenate([a.xy for a in bare if a.names == names]))
        for names in {animal.names for animal in bare}
    }
    return [a if a.edges is not None else replace(a, edges=found[a.names]) for a in animals]


def infer_edges(xy: Float[np.ndarray, "t j 2"]) -> Int64[np.ndarray, "e 2"]:
    """A tree over all joints that are ever seen together with others: the one of least length and
    change of length (Prim)."""
    cost = _costs(xy)
    joints = len(cost)
    edges: list[tuple[int, int]] = []
    left = set(range(1, joints))
    nearest = cost[0].copy()
    source = np.zeros(joints, np.int64)
    while left:
        order = sorted(left)
        best = order[int(np.argmin(nearest[order]))]
        left.discard(best)
        if np.isfinite(nearest[best]):
            edges.append((int(source[best]), best))
        closer = cost[best] < nearest
        nearest[closer], source[closer] = cost[best][closer], best
    return np.array(edges, np.int64).reshape(-1, 2)


def _costs(xy: np.ndarray) -> Float[np.ndarray, "j j"]:
    """Of each pair: about its length, and its deviation over time; infinite for pairs that are
    never seen in one frame."""
    joints = xy.shape[1]
    cost = np.full((joints, joints), np.inf)
    for joint in range(joints):
        apart = np.linalg.norm(xy - xy[:, joint : joint + 1], axis=2)
        for other in range(joints):
            seen = apart[np.isfinite(apart[:, other]), other]
            if other != joint and len(seen):
                cost[joint, other] = np.quantile(seen, _FAR) + seen.std()
    return cost
