"""Clouds into the unit sphere, whatever numbers they come in."""

from __future__ import annotations

import numpy as np
import pytest

from pointcloud.grouping import frame_of, normalised

CLOUD = np.random.default_rng(0).normal(size=(500, 3)) * [3.0, 2.0, 1.0] + [10.0, -4.0, 2.0]


def read_only(xyz: np.ndarray) -> np.ndarray:
    xyz = xyz.copy()
    xyz.flags.writeable = False
    return xyz


@pytest.mark.parametrize(
    "given",
    [
        CLOUD,
        CLOUD.astype(np.float32),
        read_only(CLOUD.astype(np.float32)),
        (100 * CLOUD).astype(np.int32),
        np.asfortranarray(CLOUD),
        np.hstack([CLOUD, CLOUD])[::2, 3:],
        np.add(CLOUD, [4.5e5, 5.4e6, 300.0]),
    ],
    ids=["float64", "float32", "read only", "whole", "columns", "every other", "georeferenced"],
)
def test_as_numpy_has_it(given) -> None:
    centre, radius = frame_of(given)
    away = given - given.mean(0, dtype=np.float64)
    np.testing.assert_allclose(centre, given.mean(0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(radius, np.linalg.norm(away, axis=1).max(), rtol=1e-9)
    found = normalised(given, len(given))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, away / radius, atol=2e-7)


def test_a_single_place_has_the_radius_one() -> None:
    assert frame_of(np.full((4, 3), 7.0))[1] == 1.0
    np.testing.assert_array_equal(normalised(np.full((4, 3), 7.0), 8, least=6), np.zeros((6, 3)))
