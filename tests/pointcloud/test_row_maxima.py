"""Largest numbers of rows and their places against numpy's."""

from __future__ import annotations

import numpy as np
import pytest

from pointcloud.cpu.row_maxima import row_maxima


@pytest.mark.parametrize("shape", [(1, 1), (3, 15), (4, 16), (7, 33), (1025, 512)])
def test_they_are_numpys(shape) -> None:
    rows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found, places = row_maxima(rows)
    np.testing.assert_array_equal(found, rows.max(1))
    np.testing.assert_array_equal(places, rows.argmax(1))


def test_of_equal_numbers_the_first_counts() -> None:
    rows = np.random.default_rng(0).integers(0, 3, (50, 100)).astype(np.float32)
    np.testing.assert_array_equal(row_maxima(rows)[1], rows.argmax(1))
