"""Rows to columns, compiled and not."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from simd.transposition import turn, turn_listed

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


@njit
def _compiled_listed(array, rows, first, count, columns, at, apart):
    turn_listed(array, rows, first, count, columns, at, apart)


@pytest.mark.parametrize("count", [1, 7, 16, 40])
@pytest.mark.parametrize("how", [turn_listed, _compiled_listed])
def test_listed_rows_become_columns(count: int, how) -> None:
    first, at, apart = 2, 5, 20
    rows = np.random.default_rng(0).integers(0, 30, first + SIDE).astype(np.int32)
    array = np.arange(30 * SIDE, dtype=np.float32)
    columns = np.full(at + SIDE * apart, -1, np.float32)
    how(array, rows, first, count, columns, at, apart)
    for k in range(SIDE):
        row = SIDE * rows[first + min(k, count - 1)]
        np.testing.assert_array_equal(columns[at + k :: apart][:SIDE], array[row : row + SIDE])
    between = columns[at:].reshape(SIDE, apart)[:, SIDE:]
    assert (columns[:at] == -1).all() and (between == -1).all()
