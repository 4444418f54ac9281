"""Which row holds the largest number of each column, of numbers in bfloat16."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int16
from numba import njit

MOST_ROWS = 1 << 15
"""Rows are counted in sixteen bits, as wide as the numbers, so that all lanes are of one width."""


@njit(error_model="numpy", nogil=True, cache=True)
def places_of_maxima(bits: Int16[np.ndarray, "rows columns"]) -> Int16[np.ndarray, " columns"]:
    """The first row where each column is largest; `bits` are those of finite bfloat16."""
    rows, columns = bits.shape
    top = np.full(columns, -0x8000, np.int16)
    places = np.zeros(columns, np.int16)
    for row in range(rows):
        place = np.int16(row)
        for column in range(columns):
            number = bits[row, column]
            # negative numbers grow with their magnitude's bits: turned over, bits sort as numbers
            key = np.int16(number ^ np.int16((number >> np.int16(15)) & np.int16(0x7FFF)))
            held, held_at = top[column], places[column]
            # both sides are written, which the compiler turns into masks instead of branches
            higher = key > held
            top[column] = key if higher else held
            places[column] = place if higher else held_at
    return places
