from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lifting.metrics import aligned_frames, bone_spread, coverage, diagonals, errors, procrustes


def square() -> np.ndarray:
    return np.array([[[0.0, 0, 0], [2, 0, 0], [2, 1, 0], [0, 1, 0], [1, 0.5, 2]]] * 3)


def turned(xyz: np.ndarray, seed: int = 0, scale: float = 3.0) -> np.ndarray:
    rotation = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    return scale * xyz @ rotation.T + [4.0, -5.0, 6.0]


def test_a_similarity_is_no_error_and_size_counts_only_where_it_says() -> None:
    truth = square() + np.arange(3.0)[:, None, None]
    found = errors(turned(truth), truth)
    for name in ("fa_mpjpe", "sa_mpjpe", "sa_mpve", "fa_mpjpe_units"):
        assert getattr(found, name) < 1e-12
    # three times as large about the middle: every point is twice its distance from it away
    apart = np.linalg.norm(truth - truth.mean(axis=1, keepdims=True), axis=2)
    wanted = 2 * apart.mean() / 3.0  # the box is 2 x 1 x 2, its diagonal 3
    assert np.isclose(found.fa_mpjpe_unscaled, wanted)


def test_a_mirror_image_is_an_error() -> None:
    truth = np.random.default_rng(0).standard_normal((4, 9, 3))
    found = errors(truth * [1.0, 1.0, -1.0], truth)
    assert found.fa_mpjpe > 0.05
    rotation, scale, _ = procrustes(truth * [1.0, 1.0, -1.0], truth)
    np.testing.assert_allclose(np.linalg.det(rotation), 1.0)
    assert (scale > 0).all()


def test_one_moved_joint_by_hand() -> None:
    """Two points at -1 and 1 on a line and two at -1 and 1 across it; pushing both ends of the line
    out by d keeps middle and axes, so the best scale is (2 (1+d) + 2) / (2 (1+d)^2 + 2)."""
    truth = np.array([[[-1.0, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0]]])
    d = 0.5
    moved = truth * [1 + d, 1.0, 1.0]
    scale = (2 * (1 + d) + 2) / (2 * (1 + d) ** 2 + 2)
    wanted = (2 * abs(scale * (1 + d) - 1) + 2 * abs(scale - 1)) / 4
    found = errors(moved, truth)
    assert np.isclose(found.fa_mpjpe_units, wanted)
    assert np.isclose(found.fa_mpjpe, wanted / np.sqrt(8))


def test_frames_are_aligned_alone_or_together() -> None:
    truth = np.random.default_rng(1).standard_normal((6, 8, 3))
    found = truth.copy()
    for k in range(6):
        found[k] = turned(truth[k][None], seed=k)[0]
    result = errors(found, truth)
    assert result.fa_mpjpe < 1e-12 < 0.05 < result.sa_mpjpe


def test_velocity_by_hand() -> None:
    """A joint that should stand still and hops by h in one of four frames, far from the alignment's
    reach: two of three differences are wrong by h, for one joint of many."""
    joints, h = 2000, 1e-3
    truth = np.repeat(np.random.default_rng(2).standard_normal((1, joints, 3)), 4, axis=0)
    found = truth.copy()
    found[2, 0, 0] += h
    wanted = (2 / 3) * h / joints / diagonals(truth)[0]
    assert np.isclose(errors(found, truth).sa_mpve, wanted, rtol=0.02)


def test_flat_has_the_scale_of_least_squares() -> None:
    truth = np.random.default_rng(3).standard_normal((5, 12, 3))
    flat = truth * [1.0, 1.0, 0.0]
    better = aligned_frames(flat, truth)
    residual = ((better - truth) ** 2).sum(axis=(1, 2))
    for change in (1.01, 0.99):
        middle = better.mean(axis=1, keepdims=True)
        other = middle + change * (better - middle)
        assert (((other - truth) ** 2).sum(axis=(1, 2)) > residual).all()


def test_coverage_counts_what_lies_within() -> None:
    truth = np.random.default_rng(4).standard_normal((3, 40, 3))
    noisy = truth + 0.1 * np.random.default_rng(5).standard_normal(truth.shape)
    share, inside = coverage(turned(noisy, scale=2.0), truth, np.full((3, 40), 1e3))
    assert share == 1.0 and inside.all()
    assert coverage(turned(noisy), truth, np.zeros((3, 40)))[0] == 0.0
    within = coverage(noisy, truth, np.full((3, 40), 0.1877))[0]  # 68 % of a chi of 3 lies below
    assert 0.55 < within < 0.8


def test_bones_that_change_show() -> None:
    truth = square()
    edges = np.array([[0, 1], [1, 2]])
    assert bone_spread(truth, edges) == 0.0
    truth[1, 0, 0] = -0.2
    assert np.isclose(bone_spread(truth, edges), 0.1)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        errors(np.zeros((2, 3, 3)), np.zeros((2, 4, 3)))
    with pytest.raises(ValueError, match="finite"):
        errors(np.full((2, 3, 3), np.nan), square()[:2, :3])
    with pytest.raises(ValueError, match="coincide"):
        errors(np.zeros((2, 3, 3)), np.zeros((2, 3, 3)))
