"""How large a cloud is, in the units it came in: what normalisation takes away. Where clouds are
measured, as a LiDAR does, size tells a person from a car."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32

from pointcloud.grouping import frame_of, rows_kept

EXTENTS = 4
"""Numbers of a cloud."""
FARTHEST = 5.0
"""Deviations from the mean of the training data at which a size counts as no stranger."""
_FLATTEST = 1e-3
"""A cloud counts as no thinner than this share of its radius."""


def extents(clouds: Sequence[Float[np.ndarray, "_ 3"]], points: int) -> Float32[np.ndarray, "b 4"]:
    """Logarithms of each cloud's radius, of its standard deviation upwards (z), and of those along
    its longest and shortest horizontal direction; of the `points` that are looked at."""
    return np.stack([_extent(cloud[rows_kept(len(cloud), points)]) for cloud in clouds])


def _extent(xyz: Float[np.ndarray, "n 3"]) -> Float32[np.ndarray, "4"]:
    centre, radius = frame_of(xyz)
    centred = xyz - centre
    level = centred[:, :2]
    across, along = np.linalg.eigvalsh(level.T @ level / len(xyz))
    upwards = (centred[:, 2] ** 2).mean()
    spreads = np.sqrt(np.maximum([upwards, along, across], (_FLATTEST * radius) ** 2))
    return np.log([radius, *spreads]).astype(np.float32)
