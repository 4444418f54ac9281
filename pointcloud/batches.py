"""Batches of a training set: which clouds each step sees, and how they are stretched and moved.

Everything follows from the seed and the number of the step, so a continued training needs no state
of a generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64

from data.labelled_clouds import LabelledClouds
from pointcloud.config import FitConfig


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step sees."""

    clouds: list[Float[np.ndarray, "_ 3"]]
    """Each axis stretched."""
    starts: Int64[np.ndarray, "b"]
    """Number that says which point a grouping begins with."""
    shifts: Float32[np.ndarray, "b 1 3"]
    """What a model adds to the places of points, after its own normalisation, which would undo it
    before."""
    labels: Int64[np.ndarray, "b"]


def batch_of_step(data: LabelledClouds, config: FitConfig, step: int) -> Batch:
    """The batch of step 1, 2, ..."""
    rows = rows_of_step(len(data), config.batch, step, config.seed)
    generator = np.random.default_rng([config.seed, step, 1])
    size, span = (len(rows), 1, 3), np.log(config.scale)
    stretch = np.exp(generator.uniform(-span, span, size))
    return Batch(
        [data.clouds[row] * factor for row, factor in zip(rows, stretch, strict=True)],
        generator.integers(1 << 31, size=len(rows)),
        generator.uniform(-config.shift, config.shift, size).astype(np.float32),
        data.labels[rows],
    )


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
