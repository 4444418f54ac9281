"""Batches of a training set: which clouds each step sees, and how they are changed.

Everything follows from the seed and the number of the step, so a continued training needs no state
of a generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64

from data.labelled_clouds import LabelledClouds
from pointcloud.config import FitConfig

_LEAST_POINTS = 16
_SHARES = 16
"""Steps between all points of a cloud and as many as are left at the least."""


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step sees."""

    rows: Int64[np.ndarray, "b"]
    """Which clouds of the data these are."""
    clouds: list[Float[np.ndarray, "_ 3"]]
    """Turned, thinned, each axis stretched."""
    starts: Int64[np.ndarray, "b"]
    """Number that says which point a grouping begins with."""
    shifts: Float32[np.ndarray, "b 1 3"]
    """What a model adds to the places of points, after its own normalisation, which would undo it
    before."""
    labels: Int64[np.ndarray, "b"]


def batch_of_step(data: LabelledClouds, config: FitConfig, step: int) -> Batch:
    """The batch of step 1, 2, ..."""
    rows = rows_of_step(len(data), config.batch, step, config.seed)
    return changed(data, rows, config, np.random.default_rng([config.seed, step, 1]))


def changed(
    data: LabelledClouds,
    rows: Int64[np.ndarray, "b"],
    config: FitConfig,
    generator: np.random.Generator,
) -> Batch:
    """The clouds in `rows` as a batch, changed at random as `config` says."""
    size, span = (len(rows), 1, 3), np.log(config.scale)
    stretch = np.exp(generator.uniform(-span, span, size))
    starts = generator.integers(1 << 31, size=len(rows))
    shifts = generator.uniform(-config.shift, config.shift, size).astype(np.float32)
    clouds = [data.clouds[row] for row in rows]
    if config.rotate:
        clouds = [turned(cloud, generator.uniform(0, 2 * np.pi)) for cloud in clouds]
    if config.drop:
        # the same share of all: a model fills clouds up to the longest, and works for nothing; one
        # of a few shares: torch compiles products in bfloat16 anew for each number of rows
        left = 1.0 - config.drop * generator.integers(_SHARES + 1) / _SHARES
        clouds = [thinned(cloud, left, generator) for cloud in clouds]
    stretched = [cloud * factor for cloud, factor in zip(clouds, stretch, strict=True)]
    return Batch(rows, stretched, starts, shifts, data.labels[rows])


def turned(cloud: Float[np.ndarray, "n 3"], angle_rad: float) -> Float[np.ndarray, "n 3"]:
    """`cloud` about its z axis."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], np.asarray(cloud).dtype)
    return cloud @ turn


def thinned(
    cloud: Float[np.ndarray, "n 3"], left: float, generator: np.random.Generator
) -> Float[np.ndarray, "m 3"]:
    """The share `left` of the points of `cloud`, in an order drawn anew: where only the first
    points of a large cloud are looked at, others are each time."""
    least = min(len(cloud), _LEAST_POINTS)
    kept = max(least, round(len(cloud) * left))
    return cloud[generator.permutation(len(cloud))[:kept]]


def rows_of_step(count: int, batch: int, step: int, seed: int) -> Int64[np.ndarray, "b"]:
    """Rows that a step sees: every epoch in an order of its own, none twice in an epoch. Data that
    do not fill a batch are one.

    >>> sorted(int(row) for step in (1, 2) for row in rows_of_step(4, 2, step, seed=0))
    [0, 1, 2, 3]
    """
    batch = min(batch, count)
    epoch, place = divmod(step - 1, count // batch)
    order = np.random.default_rng([seed, epoch]).permutation(count)
    return order[place * batch : (place + 1) * batch]
