"""Adam on the splats that a view has drawn: the others have no gradient and keep their moments."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from splatting.cpu.threads import guarded

f32 = np.float32

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-15


@njit(error_model="numpy", nogil=True, cache=True)
def _move(p, m, v, g, i, j, step, root):
    """Row `i` of parameter `p` and its moments, from row `j` of its gradient; skipped if not
    finite."""
    total = f32(0)
    for k in range(g.shape[1]):
        total += abs(g[j, k])
    if not np.isfinite(total):
        return
    b1, b2 = f32(BETA1), f32(BETA2)
    for k in range(g.shape[1]):
        m[i, k] = b1 * m[i, k] + (f32(1) - b1) * g[j, k]
        v[i, k] = b2 * v[i, k] + (f32(1) - b2) * g[j, k] * g[j, k]
        p[i, k] -= step * m[i, k] / (np.sqrt(v[i, k]) * root + f32(EPSILON))


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def adam(parameters, first, second, gradients, visible, rates, bias1, bias2):
    """One step on rows `visible (v,)` of each array `(n, k)` in the tuple `parameters`.

    `first` and `second` are the moments, shaped as the parameters; `gradients` hold arrays (v, g)
    with g <= k; `rates` has one float32 for each; `bias1` and `bias2` are 1 - beta^t.
    """
    root = f32(1.0 / np.sqrt(bias2))
    for j in prange(len(visible)):
        for a in range(len(parameters)):
            step = rates[a] / f32(bias1)
            _move(
                parameters[a],
                first[a],
                second[a],
                gradients[a],
                visible[j],
                j,
                step,
                root,
            )


def bias(step: int) -> tuple[float, float]:
    """1 - beta1^t and 1 - beta2^t for the 1-based `step`."""
    return 1.0 - BETA1**step, 1.0 - BETA2**step
