"""Rows to columns, compiled and not."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from simd.transposition import turn

SIDE = 16


@njit
def _compiled(array, place, step, count, columns, at):
    turn(array, place, step, count, columns, at)


@pytest.mark.parametrize("count", [1, 7, 16])
@pytest.mark.parametrize("how", [turn, _compiled])
def test_rows_become_columns(count: int, how) -> None:
    step, place, at = 21, 3, 5
    array = np.arange(place + step * SIDE, dtype=np.float32)
    columns = np.full(at + SIDE * SIDE + 2, -1, np.float32)
    how(array, place, step, count, columns, at)
    for k in range(SIDE):
        row = place + min(k, count - 1) * step
        np.testing.assert_array_equal(
            columns[at + k : at + SIDE * SIDE : SIDE], array[row : row + SIDE]
        )
    assert (columns[:at] == -1).all() and (columns[-2:] == -1).all()
