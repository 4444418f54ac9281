"""Adam on the splats that a view has drawn: the others have no gradient and keep their moments."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from splatting.cpu.threads import guarded

f32 = np.float32

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-15


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def adam(parameters, first, second, gradients, visible, rate, bias1, bias2):
    """One step on rows `visible (v,)` of `parameters (n, k)` and of both moments, from `gradients
    (v, g)`, g <= k.

    `bias1` and `bias2` are 1 - beta^t. A gradient that is not finite leaves its row as it was.
    """
    width = gradients.shape[1]
    step = f32(rate / bias1)
    root = f32(1.0 / np.sqrt(bias2))
    b1, b2, epsilon = f32(BETA1), f32(BETA2), f32(EPSILON)
    for j in prange(len(visible)):
        i = visible[j]
        total = f32(0)
        for k in range(width):
            total += abs(gradients[j, k])
        if not np.isfinite(total):
            continue
        for k in range(width):
            g = gradients[j, k]
            m = b1 * first[i, k] + (f32(1) - b1) * g
            v = b2 * second[i, k] + (f32(1) - b2) * g * g
            first[i, k] = m
            second[i, k] = v
            parameters[i, k] -= step * m / (np.sqrt(v) * root + epsilon)


def bias(step: int) -> tuple[float, float]:
    """1 - beta1^t and 1 - beta2^t for the 1-based `step`."""
    return 1.0 - BETA1**step, 1.0 - BETA2**step
