"""Where a cloud lies and how large it is, whatever its units: what is subtracted and divided by
before numbers become float32."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32


def span(xyz: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "3"], float]:
    """The middle of the box around the points, and half of its longest side; 0 for one place.

    >>> span(np.array([[1.0, 0, 0], [3.0, 0, 1.0]]))
    (array([2. , 0. , 0.5]), 1.0)
    """
    low, high = xyz.min(0), xyz.max(0)
    # halves, because the sum of two large numbers may not be one
    return low / 2 + high / 2, float((high / 2 - low / 2).max())


def in_cube(
    xyz: Float[np.ndarray, "n 3"], middle: Float[np.ndarray, "3"], half: float
) -> Float32[np.ndarray, "n 3"]:
    """Points moved and scaled into the cube from -1 to 1."""
    return ((xyz - middle) / (half or 1.0)).astype(np.float32)
