"""Splats nearest first: a stable sort by depth, whatever the range of depths."""

from __future__ import annotations

import numpy as np
import pytest

from splatting.cpu.depth_order import depth_order, gather_drawn


def ordered(depths: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Those that are drawn, rising, and nearest first."""
    n = len(depths)
    visible, words = np.empty(n, np.int32), np.empty(n, np.uint64)
    count, least, most = gather_drawn(drawn, depths, visible, words)
    order = np.empty(count, np.int32)
    depth_order(words[:count], least, most, np.empty(count, np.uint64), order)
    return visible[:count], order


@pytest.mark.parametrize(
    ("nearest", "farthest"), [(2.0, 2.0), (2.0, 2.000001), (2.0, 6.0), (0.01, 1e4), (1e-38, 3e38)]
)
@pytest.mark.parametrize("n", [0, 1, 2, 5000])
def test_as_a_stable_sort_of_those_that_are_drawn(nearest: float, farthest: float, n: int) -> None:
    rng = np.random.default_rng(n)
    depths = np.exp(rng.uniform(np.log(nearest), np.log(farthest), n)).astype(np.float32)
    depths[n // 2 :] = depths[: n - n // 2]  # some twice
    drawn = rng.random(n) < 0.8
    visible, order = ordered(depths, drawn)
    np.testing.assert_array_equal(visible, np.flatnonzero(drawn))
    expected = visible[np.argsort(depths[visible], kind="stable")]
    np.testing.assert_array_equal(order, expected)


def test_depths_of_what_is_not_drawn_say_nothing() -> None:
    depths = np.array([np.nan, 3, -1, 2, np.inf, 2], np.float32)
    drawn = np.array([False, True, False, True, False, True])
    visible, order = ordered(depths, drawn)
    assert visible.tolist() == [1, 3, 5]
    assert order.tolist() == [3, 5, 1]
    assert len(ordered(depths, np.zeros(6, np.bool_))[1]) == 0
