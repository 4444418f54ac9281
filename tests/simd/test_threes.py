"""Threes in sixteen lanes, compiled and not."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from simd.lane_memory import load, store
from simd.threes import in_turn, sums_of_three, thrice


def _all(array, place, out):
    store(out, 0, thrice(array, place))
    store(out, 16, in_turn(array[0], array[1], array[2]))
    store(out, 32, sums_of_three(load(array, place)))


@pytest.mark.parametrize("how", [_all, njit(_all)])
def test_threes(how) -> None:
    array = np.random.default_rng(0).normal(size=40).astype(np.float32)
    out = np.empty(48, np.float32)
    how(array, 7, out)
    np.testing.assert_array_equal(out[:16], [array[7 + lane // 3] for lane in range(16)])
    np.testing.assert_array_equal(out[16:32], [array[lane % 3] for lane in range(16)])
    sums = [array[7 + 3 * k : 10 + 3 * k].sum() for k in range(5)]
    np.testing.assert_allclose(out[32:37], sums, rtol=1e-6)
