"""Who is drawn, nearest first: one radix sort of words that hold a splat's depth and number.

A word moves as a whole, so that no pass looks anything up elsewhere.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from simd.lane_memory import prefetch

_PASSES = 3
_NUMBER_BITS = np.uint64(32)
"""Below the depth's bits lies the splat's number."""


@njit(nogil=True, cache=True)
def gather_drawn(drawn, depths, visible, words):
    """Ids where `drawn (n,)` is true into `visible (n,)`, rising, and with the bits of their depths
    into `words (n,)`; returns how many there are, and the least and the largest of those bits.

    The bits of a positive float32 rank as it does.
    """
    bits = depths.view(np.uint32)
    count, least, most = 0, np.uint32(0xFFFFFFFF), np.uint32(0)
    for i in range(len(drawn)):
        # written for all and kept for those that are drawn: there is no branch to guess
        visible[count] = i
        words[count] = np.uint64(bits[i]) << _NUMBER_BITS | np.uint64(i)
        least = min(least, bits[i]) if drawn[i] else least
        most = max(most, bits[i]) if drawn[i] else most
        count += drawn[i]
    return count, least, most


@njit(nogil=True, cache=True)
def depth_order(words, least, most, scratch, order):
    """Splats' numbers from `words (v,)`, nearest first, into `order (v,)`; splats of one depth keep
    their order. `words` and `scratch (v,)` are overwritten.

    `least` and `most` are of the depths' bits; only those are sorted by in which depths differ, 26
    of 32 in most scenes.
    """
    base = np.uint64(least) << _NUMBER_BITS
    digit_bits = np.uint64(1)
    while np.int64(most) - np.int64(least) >= 1 << np.int64(_PASSES * digit_bits):
        digit_bits += np.uint64(1)
    mask = (np.uint64(1) << digit_bits) - np.uint64(1)
    low, middle = _NUMBER_BITS, _NUMBER_BITS + digit_bits
    high = middle + digit_bits
    places = np.zeros((_PASSES, np.int64(mask) + 1), np.uint32)
    for j in range(len(words)):
        # what is written all over is here by then
        prefetch(scratch, j + 64)
        prefetch(order, j + 64)
        word = words[j] - base
        places[0, word >> low & mask] += 1
        places[1, word >> middle & mask] += 1
        places[2, word >> high] += 1
    for step in range(_PASSES):
        total = 0
        for digit in range(places.shape[1]):
            here = places[step, digit]
            places[step, digit] = total
            total += here
    _scatter(words, base, places[0], low, mask, scratch)
    _scatter(scratch, base, places[1], middle, mask, words)
    _scatter(words, base, places[2], high, mask, order)


@njit(nogil=True, cache=True)
def _scatter(words, base, places, shift, mask, into):
    """Each word to the next place of its digit; an `into` of int32 keeps the splat's number."""
    for word in words:
        digit = (word - base) >> shift & mask
        place = places[digit]
        places[digit] = place + np.uint32(1)
        into[place] = word
