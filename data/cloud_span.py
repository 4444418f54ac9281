"""Where a cloud lies and how large it is, whatever its units: what is subtracted, and divided by if
need be, before numbers become float32."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32

_SMALLEST, _LARGEST = 1e-12, 1e12


def span(xyz: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "3"], float]:
    """The middle of the box around the points, and half of its longest side; 0 for one place.

    >>> span(np.array([[1.0, 0, 0], [3.0, 0, 1.0]]))
    (array([2. , 0. , 0.5]), 1.0)
    """
    low, high = xyz.min(0), xyz.max(0)
    # halves, because the sum of two large numbers may not be one
    return low / 2 + high / 2, float((high / 2 - low / 2).max())


def around_zero(
    xyz: Float[np.ndarray, "n 3"], middle: Float[np.ndarray, "3"], half: float
) -> Float32[np.ndarray, "n 3"]:
    """Points moved to around 0, in their own units: some models look at sizes. A span whose square
    float32 cannot hold is scaled to the cube from -1 to 1."""
    known = not half or _SMALLEST <= half <= _LARGEST
    return ((xyz - middle) / (1.0 if known else half)).astype(np.float32)
