"""A square of bits, turned so that its rows become columns."""

from __future__ import annotations

import numpy as np
from numba import njit

SIDE = 64


@njit(error_model="numpy", nogil=True, cache=True)
def transpose(words):
    """Turn 64 words in place: bit i of word p becomes bit p of word i (Warren, Hacker's Delight,
    7-3: quarters change places, then the quarters of each)."""
    half = SIDE // 2
    mask = np.uint64(0xFFFFFFFF)
    while half > 0:
        shift = np.uint64(half)
        for start in range(0, SIDE, 2 * half):
            for k in range(start, start + half):
                differs = ((words[k] >> shift) ^ words[k + half]) & mask
                words[k] ^= differs << shift
                words[k + half] ^= differs
        half //= 2
        mask ^= mask << np.uint64(half)
