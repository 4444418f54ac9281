"""Edges of a skeleton that nobody gave, from how points move and what they are called: what is
rigid stays together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int64

from data.keypoints import Keypoints2D
from data.skeleton import mirrored, side

_FAR = 0.9
"""Quantile of the distances over time that stands for a pair's length: in the picture a bone is
never longer than it is, and an outlier is."""

_ACROSS = 2.0
"""How much more an edge from a left joint to a right one costs: feet come close to each other, and
hang together by a body."""
_NEXT = 0.5
"""What an edge to the next in the list costs of what others do."""
_AT_ONCE = 2_000_000
"""Distances that are held at once."""


def with_edges(animals: Sequence[Keypoints2D]) -> list[Keypoints2D]:
    """Animals with edges: those without are given the tree that fits the tracks of all animals of
    the same joints, so that they have one skeleton."""
    bare = [animal for animal in animals if animal.edges is None]
    found = {
        names: infer_edges(np.concatenate([a.xy for a in bare if a.names == names]), names)
        for names in {animal.names for animal in bare}
    }
    return [a if a.edges is not None else replace(a, edges=found[a.names]) for a in animals]


def infer_edges(
    xy: Float[np.ndarray, "t j 2"], names: Sequence[str] = ()
) -> Int64[np.ndarray, "e 2"]:
    """A tree over all joints that are ever seen together with others: the one of least length and
    change of length (Prim). Where joints have names, people listed them, mostly along the body: the
    next in the list costs less. Where names tell left from right, both sides are to be alike, and
    edges from one to the other have to be shorter."""
    cost = _costs(xy)
    if len(names):
        cost = _named(cost, names)
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


def _named(cost: Float[np.ndarray, "j j"], names: Sequence[str]) -> Float[np.ndarray, "j j"]:
    """Costs, less for neighbours in the list and more from side to side; a pair shares them with
    its mirror image, if that was ever seen."""
    joint, across = np.arange(len(names)), mirrored(names)
    sides = np.array([side(name) for name in names])
    apart = sides[:, None] * sides < 0
    cost = np.where((np.abs(joint[:, None] - joint) == 1) & ~apart, _NEXT * cost, cost)
    other = cost[np.ix_(across, across)]
    both = np.where(np.isinf(other), cost, np.where(np.isinf(cost), other, (cost + other) / 2))
    return np.where(apart, _ACROSS * both, both)


def _costs(xy: np.ndarray) -> Float[np.ndarray, "j j"]:
    """Of each pair: about its length, and its deviation over time; infinite for pairs that are
    never seen in one frame."""
    frames, joints = xy.shape[:2]
    cost = np.empty((joints, joints))
    block = max(1, _AT_ONCE // max(1, frames * joints))
    for first in range(0, joints, block):
        rows = slice(first, first + block)
        apart = np.linalg.norm(xy[:, rows, None] - xy[:, None], axis=3)
        cost[rows] = _high(apart) + _deviation(apart)
    np.fill_diagonal(cost, np.inf)
    return cost


def _high(apart: Float[np.ndarray, "t a b"]) -> Float[np.ndarray, "a b"]:
    """The quantile `_FAR` over time of what is not NaN; infinite where nothing is."""
    ordered = np.sort(apart, axis=0)  # NaN comes last
    last = np.isfinite(apart).sum(axis=0) - 1
    place = _FAR * np.maximum(last, 0)
    low = np.floor(place).astype(np.int64)
    found = [
        np.take_along_axis(ordered, k[None], axis=0)[0]
        for k in (low, np.minimum(low + 1, np.maximum(last, 0)))
    ]
    high = found[0] + (place - low) * (found[1] - found[0])
    return np.where(last >= 0, high, np.inf)


def _deviation(apart: Float[np.ndarray, "t a b"]) -> Float[np.ndarray, "a b"]:
    """Over time, of what is not NaN; 0 where nothing is."""
    seen = np.isfinite(apart)
    count = np.maximum(seen.sum(axis=0), 1)
    middle = np.where(seen, apart, 0.0).sum(axis=0) / count
    wrong = np.where(seen, apart - middle, 0.0)
    return np.sqrt((wrong**2).sum(axis=0) / count)
