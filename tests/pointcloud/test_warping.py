"""Clouds bent in places: nothing at strength 0, the same at any size and place, no seams, and each
centre's own map right at the centre where it is alone."""

from __future__ import annotations

import numpy as np
import pytest

from pointcloud.batches import batch_of_step
from pointcloud.config import FitConfig
from pointcloud.warping import warped
from tests.pointcloud.solids import made_clouds


@pytest.fixture
def cloud() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)


def bent(cloud: np.ndarray, strength: float, seed: int = 1) -> np.ndarray:
    return warped(cloud, strength, np.random.default_rng(seed))


def test_strength_0_changes_nothing(cloud) -> None:
    np.testing.assert_allclose(bent(cloud, 0.0), cloud, atol=2e-6)


def test_a_cloud_bends_alike_at_any_size_and_place(cloud) -> None:
    moved = 50.0 * cloud + np.float32([100.0, -20.0, 3.0])
    expected = 50.0 * bent(cloud, 0.7) + [100.0, -20.0, 3.0]
    np.testing.assert_allclose(bent(moved, 0.7), expected, atol=5e-3)


def test_parts_go_their_own_ways_without_a_seam(cloud) -> None:
    line = np.linspace(-1, 1, 2000)[:, None].astype(np.float32) * np.float32([1.0, 0.5, -0.3])
    steps = np.linalg.norm(np.diff(bent(line, 1.0), axis=0), axis=1) * 1999 / 2
    length = np.linalg.norm([1.0, 0.5, -0.3])
    # no linear map: here and there the line is stretched otherwise; and nowhere is it torn
    assert steps.max() > 1.2 * steps.min() and steps.max() < 10 * length


def test_stronger_goes_farther_as_often_larger_as_smaller(cloud) -> None:
    moves = [
        np.mean(
            [np.linalg.norm(bent(cloud, strength, s) - cloud, axis=1).mean() for s in range(40)]
        )
        for strength in (0.1, 0.3, 0.9)
    ]
    assert moves[0] < 0.5 * moves[1] and moves[1] < 0.5 * moves[2]
    sizes = [np.log(bent(cloud, 0.3, s).std() / cloud.std()) for s in range(200)]
    assert abs(np.mean(sizes)) < 0.05


def test_few_points_and_equal_ones_stay_finite() -> None:
    for cloud in (np.zeros((1, 3)), np.ones((5, 3)), np.arange(6.0).reshape(2, 3)):
        found = bent(cloud, 1.0)
        assert found.shape == cloud.shape and np.isfinite(found).all()


def test_batches_are_bent_on_request_and_follow_from_seed_and_step() -> None:
    data = made_clouds(("ball", "box"), 6)
    plain, one, two = (
        batch_of_step(data, FitConfig(steps=9, batch=6, warp=strength), 3)
        for strength in (0.0, 0.5, 0.5)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one.clouds, two.clouds, strict=True))
    assert not any(
        np.allclose(a, b, atol=0.01) for a, b in zip(plain.clouds, one.clouds, strict=True)
    )
    assert np.array_equal(plain.labels, one.labels) and np.array_equal(plain.shifts, one.shifts)


@pytest.mark.parametrize("strength", [-0.1, 3.1, float("nan")])
def test_other_strengths_are_refused(strength) -> None:
    with pytest.raises(ValueError, match="warp: expected 0 to 3"):
        FitConfig(steps=1, warp=strength)
