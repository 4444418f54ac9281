"""Layer norm of rows, sixteen numbers at a time."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float32
from numba import njit

from simd.lane_memory import load_part, scratch, store_part, store_sums
from simd.lanes import COUNT, first_lanes, spread, where

f32 = np.float32
_EPSILON = 1e-5


def layer_norm(
    x: Float32[np.ndarray, "n w"], weight: Float32[np.ndarray, "w"], bias: Float32[np.ndarray, "w"]
) -> Float32[np.ndarray, "n w"]:
    """Every row less its mean, over its deviation, times `weight`, plus `bias`."""
    found = np.empty_like(x)
    _layer_norm(np.ascontiguousarray(x).reshape(-1), weight, bias, found.reshape(-1))
    return found


@njit(error_model="numpy", nogil=True, cache=True)
def _layer_norm(x, weight, bias, found):
    width = len(weight)
    sums = scratch(COUNT)
    for first in range(0, len(x), width):
        total = spread(f32(0))
        for at in range(0, width, COUNT):
            total = total + load_part(x, first + at, width - at)
        store_sums(sums, 0, (total,))
        mean = f32(sums[0] / width)
        squares = spread(f32(0))
        for at in range(0, width, COUNT):
            away = load_part(x, first + at, width - at) - mean
            away = where(first_lanes(width - at), away, spread(f32(0)))
            squares = squares + away * away
        store_sums(sums, 0, (squares,))
        over = f32(1.0 / math.sqrt(sums[0] / width + _EPSILON))
        for at in range(0, width, COUNT):
            left = width - at
            unit = (load_part(x, first + at, left) - mean) * over
            made = unit * load_part(weight, at, left) + load_part(bias, at, left)
            store_part(found, first + at, left, made)
