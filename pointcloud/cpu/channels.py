"""What loops over channels, sixteen at a time, share."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float32
from numba import njit

from simd.lane_functions import exp2
from simd.lanes import COUNT

f32 = np.float32
LOG2_E = f32(1 / math.log(2))
PARTS = 4
"""Threads that the channels of one cloud are for; a fixed number, so that sums do not depend on how
many threads there are."""
Array = Float32[np.ndarray, "..."]


def padded(x: Array) -> Array:
    """Channels, the last axis, filled up to whole vectors with ones that do nothing."""
    missing = -x.shape[-1] % COUNT
    if not missing:
        return np.ascontiguousarray(x)
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)])


@njit(error_model="numpy", nogil=True, cache=True)
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return f32(1) / (f32(1) + exp2(x * f32(-LOG2_E)))


@njit(error_model="numpy", nogil=True, cache=True)
def range_of(part, vectors):
    """First of a part's vectors, and the one after its last."""
    return part * vectors // PARTS, (part + 1) * vectors // PARTS
