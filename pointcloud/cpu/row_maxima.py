"""The largest number of each row, and where it stands, sixteen numbers at a time."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int64
from numba import njit, prange

from simd.lane_memory import load, scratch, store
from simd.lanes import COUNT, spread, where
from simd.threads import guarded

f32 = np.float32
LONGEST = 1 << 24
"""Rows are shorter: places are counted in float32."""


def row_maxima(
    rows: Float32[np.ndarray, "m n"],
) -> tuple[Float32[np.ndarray, "m"], Int64[np.ndarray, "m"]]:
    """Largest number of each row and its place, the first of equal ones."""
    found = np.empty(len(rows), f32)
    places = np.empty(len(rows), np.int64)
    _row_maxima(rows, found, places)
    return found, places


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def _row_maxima(rows, found, places):
    count, length = rows.shape
    flat = rows.reshape(-1)
    whole = length // COUNT * COUNT
    for row in prange(count):
        first = row * length
        top, place = f32(-np.inf), 0
        if whole:
            highest, rounds = load(flat, first), spread(f32(0))
            for at in range(COUNT, whole, COUNT):
                numbers = load(flat, first + at)
                higher = numbers > highest
                highest = where(higher, numbers, highest)
                rounds = where(higher, spread(f32(at)), rounds)
            lanes = scratch(2 * COUNT)
            store(lanes, 0, highest)
            store(lanes, COUNT, rounds)
            for lane in range(COUNT):
                at = int(lanes[COUNT + lane]) + lane
                if lanes[lane] > top or (lanes[lane] == top and at < place):
                    top, place = lanes[lane], at
        for at in range(whole, length):
            if flat[first + at] > top:
                top, place = flat[first + at], at
        found[row], places[row] = top, place
