"""What a skeleton says about its joints: by its edges, whatever the joints are called, steps from
joint to joint and how likely a random walk is to come back; by names, left and right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from lifting.symmetry import Symmetry, unknown

FARTHEST = 8
"""Steps along the edges that are told apart; what is farther counts as this far."""
WALKS = 8
"""Lengths of random walks."""
STRUCTURE = WALKS + 3
"""Numbers in a joint's description."""


@dataclass(frozen=True, eq=False)
class Graph:
    """All of that, worked out once for every camera and every part of a clip."""

    near: Bool[np.ndarray, "j j"]
    steps: Int64[np.ndarray, "j j"]
    structure: Float32[np.ndarray, "j s"]
    symmetry: Symmetry


def graph_of(
    edges: Int64[np.ndarray, "e 2"], joints: int, symmetry: Symmetry | None = None
) -> Graph:
    """What the edges of so many joints say, and their names where `symmetry` is given."""
    near = adjacency(edges, joints)
    steps = hops(near)
    return Graph(near, steps, structure(near, steps), symmetry or unknown(joints))


def adjacency(edges: Int64[np.ndarray, "e 2"], joints: int) -> Bool[np.ndarray, "j j"]:
    """Whether two joints share an edge, or are one."""
    near = np.eye(joints, dtype=bool)
    near[edges[:, 0], edges[:, 1]] = near[edges[:, 1], edges[:, 0]] = True
    return near


def hops(near: Bool[np.ndarray, "j j"]) -> Int64[np.ndarray, "j j"]:
    """Edges on the shortest way between two joints, at most FARTHEST.

    >>> hops(adjacency(np.array([[0, 1], [1, 2]]), 4)).tolist()
    [[0, 1, 2, 8], [1, 0, 1, 8], [2, 1, 0, 8], [8, 8, 8, 0]]
    """
    steps = np.full(near.shape, FARTHEST, np.int64)
    reached = np.eye(len(near), dtype=bool)
    steps[reached] = 0
    for step in range(1, FARTHEST):
        reached = reached.astype(np.float32) @ near.astype(np.float32) > 0
        steps[reached & (steps == FARTHEST)] = step
    return steps


def structure(
    near: Bool[np.ndarray, "j j"], steps: Int64[np.ndarray, "j j"]
) -> Float32[np.ndarray, "j s"]:
    """A joint's place in the skeleton: how likely a random walk of 1 to WALKS steps ends where it
    began, its number of neighbours, its mean and largest number of steps to the others (`hops`)."""
    alone = near & ~np.eye(len(near), dtype=bool)
    degree = alone.sum(axis=1)
    walk = alone / np.maximum(degree, 1)[:, None]
    power, back = np.eye(len(near)), []
    for _ in range(WALKS):
        power = power @ walk
        back.append(np.diag(power))
    rest = [degree / 3.0, steps.mean(axis=1) / FARTHEST, steps.max(axis=1) / FARTHEST]
    return np.stack([*back, *rest], axis=1).astype(np.float32)
