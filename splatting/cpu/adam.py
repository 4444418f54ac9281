"""Adam on the splats that a view has drawn: the others have no gradient and keep their moments.

Drawn splats mostly come in runs of neighbours in memory. A run of a parameter is one stretch of
numbers, so sixteen of them move at a time, whatever the parameter's width.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from simd.lane_memory import load_part, store_part
from simd.lanes import COUNT, absolute, square_root, where
from simd.threads import guarded

f32 = np.float32

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-15
CHUNK = 512
"""Drawn splats that a thread takes at a time."""
_LARGEST = np.finfo(np.float32).max


@njit(error_model="numpy", nogil=True, cache=True)
def _move(p, m, v, g, at, g_at, count, step, root):
    """`count` numbers from `p[at]` on, with their moments, by the gradients from `g[g_at]` on; a
    number whose gradient is not finite stays as it is."""
    for k in range(0, count, COUNT):
        slope = load_part(g, g_at + k, count - k)
        finite = absolute(slope) <= f32(_LARGEST)
        slope = where(finite, slope, f32(0))
        old_m = load_part(m, at + k, count - k)
        old_v = load_part(v, at + k, count - k)
        old = load_part(p, at + k, count - k)
        new_m = where(finite, old_m * f32(BETA1) + slope * f32(1 - BETA1), old_m)
        new_v = where(finite, old_v * f32(BETA2) + slope * slope * f32(1 - BETA2), old_v)
        moved = old - new_m * step / (square_root(new_v) * root + f32(EPSILON))
        store_part(m, at + k, count - k, new_m)
        store_part(v, at + k, count - k, new_v)
        store_part(p, at + k, count - k, where(finite, moved, old))


@njit(error_model="numpy", nogil=True, cache=True)
def _move_rows(p, m, v, g, width, visible, begin, end, step, root):
    """Rows `visible[begin:end]`, `width` numbers each, of the flat `p` with moments `m` and `v`, by
    the rows from `begin` on of the flat `g`. `step` is the rate over 1 - beta1^t, `root` one over
    the root of 1 - beta2^t."""
    row = begin
    while row < end:
        past = row + 1
        while past < end and visible[past] == visible[past - 1] + 1:
            past += 1
        _move(p, m, v, g, visible[row] * width, row * width, (past - row) * width, step, root)
        row = past


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def adam(parameters, first, second, gradients, visible, rates, bias1, bias2):
    """One step on rows `visible (v,)`, rising, of each array `(n, k)` in the tuple `parameters`.

    `first` and `second` are the moments, shaped as the parameters; `gradients` hold arrays (v, k);
    `rates` has one float32 for each; `bias1` and `bias2` are 1 - beta^t.
    """
    root = f32(1.0 / np.sqrt(bias2))
    total = len(visible)
    for chunk in prange((total + CHUNK - 1) // CHUNK):
        begin, last = chunk * CHUNK, min((chunk + 1) * CHUNK, total)
        # parameter by parameter, not run by run: to flatten an array takes as long as a short run
        for a in range(len(parameters)):
            width = parameters[a].shape[1]
            p, g = parameters[a].reshape(-1), gradients[a].reshape(-1)
            m, v = first[a].reshape(-1), second[a].reshape(-1)
            step = rates[a] / f32(bias1)
            _move_rows(p, m, v, g, width, visible, begin, last, step, root)


def bias(step: int) -> tuple[float, float]:
    """1 - beta1^t and 1 - beta2^t for the 1-based `step`."""
    return 1.0 - BETA1**step, 1.0 - BETA2**step
