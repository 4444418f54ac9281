"""x sigmoid(x), sixteen numbers at a time."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32
from numba import njit

from pointcloud.cpu.channels import sigmoid
from simd.lane_memory import load_part, store_part
from simd.lanes import COUNT


def silu(x: Float32[np.ndarray, "*n"]) -> Float32[np.ndarray, "*n"]:
    """Of every number of `x`."""
    found = np.empty(x.shape, np.float32)
    _silu(np.ascontiguousarray(x).reshape(-1), found.reshape(-1))
    return found


@njit(error_model="numpy", nogil=True, cache=True)
def _silu(x, found):
    for at in range(0, len(x), COUNT):
        here = load_part(x, at, len(x) - at)
        store_part(found, at, len(x) - at, here * sigmoid(here))
