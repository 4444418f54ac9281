"""A cloud into the unit sphere, in loops: of a thousand points numpy's passes take as long as a
third of an encoder."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(error_model="numpy", nogil=True, cache=True)
def centre_and_radius(xyz):
    """Mean of points (n, 3) in float64, (3,), and the distance of the farthest from it."""
    centre = np.zeros(3)
    for p in range(len(xyz)):
        for axis in range(3):
            centre[axis] += xyz[p, axis]
    centre /= len(xyz)
    largest = 0.0
    for p in range(len(xyz)):
        squared = 0.0
        for axis in range(3):
            away = xyz[p, axis] - centre[axis]
            squared += away * away
        largest = max(largest, squared)
    return centre, np.sqrt(largest)


@njit(error_model="numpy", nogil=True, cache=True)
def moved(xyz, centre, radius):
    """Points (n, 3) relative to `centre` (3,), over `radius`, in float32."""
    found = np.empty(xyz.shape, np.float32)
    for p in range(len(xyz)):
        for axis in range(3):
            found[p, axis] = (xyz[p, axis] - centre[axis]) / radius
    return found
