"""Stored rows of higher harmonics, five of three colours each at a time: the colour that they make,
their gradients, and their step.

That step needs no memory of its own. By the addition theorem the squares of the harmonics of a
degree add up to the same number in every direction, on average to the constant harmonic's square:
so seen from wherever, the gradients of a splat's higher harmonics are on average as large as that
of its constant colour, whose second moment Adam keeps. A first moment would only spread a step over
the next ten, which at their small rate changes nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from simd.lane_memory import load_part, store, store_part
from simd.lanes import COUNT, spread
from simd.threes import FIVE, in_turn, sums_of_three, thrice
from simd.transposition import turn
from splatting.cpu import spherical_harmonics as sh
from splatting.cpu.adam import BETA2, EPSILON
from splatting.cpu.screen_planes import CHUNK

f32 = np.float32

ROWS = CHUNK * COUNT + COUNT
"""Numbers of a buffer with one row a splat; the last is read beyond its end."""
MOST = f32(5)
"""Times its rate that a harmonic moves at most: the second moment of a new splat is still small."""
_LARGEST = np.finfo(np.float32).max


@njit(error_model="numpy", nogil=True, cache=True)
def turn_basis(h, higher, count, rows):
    """The BASIS planes of `h` as one row a splat: `higher` harmonics of `count` splats."""
    for first in range(0, count, COUNT):
        turn(h, sh.BASIS + first, CHUNK, higher, rows, first * COUNT)


@njit(error_model="numpy", nogil=True, cache=True)
def turn_worth(rows, higher, count, h):
    """Rows of what `higher` harmonics of `count` splats are worth, into WEIGHT planes of `h`."""
    for k in range(count):
        for m in range(higher):
            h[sh.WEIGHT + m * CHUNK + k] = rows[k * COUNT + m]


@njit(error_model="numpy", nogil=True, cache=True)
def add_colour(stored, at, higher, basis, k, colours):
    """What the harmonics from `stored[at]` on add to splat `k`'s red, green and blue, into
    `colours[16 k : 16 k + 3]`."""
    total = spread(f32(0))
    for m in range(0, higher, FIVE):
        row = load_part(stored, at + 3 * m, 3 * min(FIVE, higher - m))
        total = total + thrice(basis, k * COUNT + m) * row
    store(colours, k * COUNT, total)
    for colour in range(3):
        added = f32(0)
        for m in range(FIVE):
            added += colours[k * COUNT + 3 * m + colour]
        colours[k * COUNT + colour] = added


@njit(error_model="numpy", nogil=True, cache=True)
def add_worth(stored, at, higher, colour, k, worth):
    """What each harmonic from `stored[at]` on is worth to a loss with the slopes `colour`, into row
    `k`."""
    slopes = in_turn(colour[0], colour[1], colour[2])
    for m in range(0, higher, FIVE):
        row = load_part(stored, at + 3 * m, 3 * min(FIVE, higher - m))
        g_basis = row * slopes
        store(worth, k * COUNT + m, sums_of_three(g_basis))


@njit(error_model="numpy", nogil=True, cache=True)
def write_gradients(higher, basis, k, colour, gradients, at):
    """Those of the harmonics, from `gradients[at]` on."""
    slopes = in_turn(colour[0], colour[1], colour[2])
    for m in range(0, higher, FIVE):
        g_row = thrice(basis, k * COUNT + m) * slopes
        store_part(gradients, at + 3 * m, 3 * min(FIVE, higher - m), g_row)


@njit(error_model="numpy", nogil=True, cache=True)
def move(stored, at, higher, basis, k, paces):
    """A step: each harmonic from `stored[at]` on by its worth times the `paces` of the colours."""
    pace = in_turn(paces[0], paces[1], paces[2])
    for m in range(0, higher, FIVE):
        count = 3 * min(FIVE, higher - m)
        row = load_part(stored, at + 3 * m, count) - thrice(basis, k * COUNT + m) * pace
        store_part(stored, at + 3 * m, count, row)


@njit(error_model="numpy", nogil=True, cache=True)
def pace_of(slope, second, rate, root):
    """What a harmonic of worth 1 moves by, for the gradient `slope` of the constant one, whose
    `second` moment so far does not know it yet; `root` is one over the root of 1 - beta2^t."""
    if not abs(slope) <= _LARGEST:
        return f32(0)
    second = second * f32(BETA2) + slope * slope * f32(1 - BETA2)
    share = slope / (math.sqrt(second) * root + f32(EPSILON))
    return rate * min(max(share, -MOST), MOST)
