"""Records from splats that somebody else has projected, and their gradients back by splat."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from simd.threads import guarded
from splatting.cpu import screen as s
from splatting.cpu.compositing_backward import moments_to_gradients
from splatting.cpu.projection import cut_off


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def fill_records(means, conics, opacities, colours, table, records):
    """`records (n, 16)` of splats at `means (n, 2)` in pixels with `conics (n, 3)` and four
    channels `colours (n, 4)`; what is below 1/255 or no ellipse is never drawn."""
    for i in prange(len(means)):
        record = records[i]
        x, y = np.float64(means[i, 0]), np.float64(means[i, 1])
        a, b, c = np.float64(conics[i, 0]), np.float64(conics[i, 1]), np.float64(conics[i, 2])
        determinant = a * c - b * b
        q_cut = -1.0
        half_width = half_height = 0.0
        if opacities[i] >= 1.0 / 255.0 and determinant > 0 and a > 0:
            q_cut = cut_off(math.log(255.0 * opacities[i]), table)
            half_width = math.sqrt(q_cut * c / determinant)
            half_height = math.sqrt(q_cut * a / determinant)
        record[s.X_WHOLE], record[s.Y_WHOLE] = math.floor(x), math.floor(y)
        record[s.X_PART], record[s.Y_PART] = x - math.floor(x), y - math.floor(y)
        record[s.CONIC_A], record[s.CONIC_B], record[s.CONIC_C] = a, b, c
        record[s.OPACITY] = opacities[i]
        record[s.RED], record[s.GREEN] = colours[i, 0], colours[i, 1]
        record[s.BLUE], record[s.DEPTH] = colours[i, 2], colours[i, 3]
        record[s.Q_CUT] = q_cut
        record[s.HALF_WIDTH], record[s.HALF_HEIGHT] = half_width, half_height


@njit(error_model="numpy", nogil=True, cache=True)
def add_pairs(splat_of, pair_gradients, records, totals):
    """Sum each splat's rows of `pair_gradients (p, 16)` in order; the gradients of its record that
    they come to are added to `totals (n, 16)`."""
    sums = np.zeros_like(totals)
    for pair in range(len(splat_of)):
        for k in range(s.GRAD_WIDTH):
            sums[splat_of[pair], k] += pair_gradients[pair, k]
    for i in range(len(sums)):
        moments_to_gradients(sums[i], records[i])
        totals[i] += sums[i]
