"""Clouds cut into groups: centres far from each other, each with its nearest points.

A cloud is moved to its mean and scaled into the unit sphere first, so units and place do not
matter; its axes do (models are trained with z up).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from data.neighbours import farthest_points, nearest
from pointcloud.cpu.unit_sphere import centre_and_radius, moved

GROUP_SCALE = 5.0
"""Groups of 16 of 1,024 points reach about a fifth of the cloud's radius: near 1 after this."""


def normalised(
    xyz: Float[np.ndarray, "n 3"], points: int, least: int = 1
) -> Float32[np.ndarray, "m 3"]:
    """`xyz` centred on its mean in the unit sphere; at most `points` of it, at least `least`.

    Which points stay is drawn from a fixed seed: a cloud always gives the same answer. Too small
    clouds repeat their points.
    """
    if not least <= len(xyz) <= points:
        xyz = xyz[rows_kept(len(xyz), points, least)]
    centre, radius = frame_of(xyz)
    return moved(_numbers(xyz), centre, radius)


def rows_kept(count: int, points: int, least: int = 1) -> Int64[np.ndarray, "m"]:
    """Which of `count` points are looked at."""
    if count > points:
        return np.sort(np.random.default_rng(0).choice(count, points, replace=False))
    return np.arange(max(count, least)) % count


def frame_of(xyz: Float[np.ndarray, "n 3"]) -> tuple[Float64[np.ndarray, "3"], float]:
    """Centre and radius that `normalised` takes out; the radius of a single place is 1."""
    centre, radius = centre_and_radius(_numbers(xyz))
    return centre, radius or 1.0


def _numbers(xyz: np.ndarray) -> Float[np.ndarray, "n 3"]:
    """As the loops are compiled for."""
    return np.ascontiguousarray(xyz, np.float32 if xyz.dtype == np.float32 else np.float64)


def group(
    xyz: Float32[np.ndarray, "n 3"], centres: int, neighbours: int, start: int = 0
) -> tuple[Float32[np.ndarray, "c 3"], Float32[np.ndarray, "c k 3"]]:
    """Centres, each far from all before it, and the nearest points of each relative to it."""
    chosen = xyz[farthest_points(xyz, centres, start)]
    _, indices = nearest(xyz, chosen, neighbours, backend="numba")
    return chosen, xyz.take(indices, axis=0) - chosen[:, None]


def grouped(
    clouds: Sequence[Float[np.ndarray, "_ 3"]],
    sizes: tuple[int, int, int],
    starts: Sequence[int] | None = None,
) -> tuple[Float32[np.ndarray, "b c 3"], Float32[np.ndarray, "b c k 3"]]:
    """Centres and groups of clouds of any sizes, places and units; `sizes` are points, centres and
    neighbours.

    The first centre is the point that `starts` says, else a cloud's first.
    """
    points, centres, neighbours = sizes
    cut = []
    for index, cloud in enumerate(clouds):
        xyz = normalised(cloud, points, max(centres, neighbours))
        start = 0 if starts is None else int(starts[index] % len(xyz))
        cut.append(group(xyz, centres, neighbours, start))
    chosen, groups = zip(*cut, strict=True)
    return np.stack(chosen), np.stack(groups)
