"""Density control edits splats without changing what they paint: measured on rendered pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from own_kernel import EVERY

from data.camera import Camera
from splatting import densification, kernels, rasterization
from splatting.splats import Splats

SIZE = 96


def one_splat(kernel: str, opacity: float) -> Splats:
    """A long tilted splat, 5 px by 2 px on the screen of `camera`, far away: no perspective within
    it."""
    return Splats(
        means=np.array([[0.03, -0.02, 1000.0]], np.float32),
        log_scales=np.log(np.array([[0.5, 0.2, 0.1]], np.float32)),
        quats=np.array([[0.9, 0.1, 0.2, 0.35]], np.float32),
        logit_opacities=np.array([np.log(opacity / (1 - opacity))], np.float32),
        sh0=np.ones((1, 3), np.float32),
        shN=np.zeros((1, 0, 3), np.float32),
        kernel=kernels.get(kernel),
    )


def camera() -> Camera:
    focal, centre = 10000.0, SIZE / 2
    return Camera(
        np.array([[focal, 0, centre], [0, focal, centre], [0, 0, 1.0]]),
        np.eye(4),
        SIZE,
        SIZE,
    )


def moments_of(alpha: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Sum, centroid and covariance of a picture, in pixels."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    place = np.stack([columns, rows]).reshape(2, -1)
    weight = alpha.ravel().astype(np.float64)
    mass = weight.sum()
    centre = (place * weight).sum(axis=1) / mass
    off = place - centre[:, None]
    return mass, centre, (off * weight) @ off.T / mass


@pytest.mark.parametrize("kernel", EVERY)
def test_split_keeps_mass_centre_and_second_moments(kernel: str) -> None:
    parent = one_splat(kernel, 0.95)
    children, _ = densification.split(
        parent, densification.new_moments(parent), np.array([0], np.int64)
    )
    assert len(children) == 2
    before = moments_of(rasterization.render(parent, camera()).alpha)
    # drawn one by one: to first order in opacity no layer hides another
    alone = [rasterization.render(children.take(np.array([k])), camera()).alpha for k in (0, 1)]
    after = moments_of(alone[0] + alone[1])
    # what remains: both children end at 1/255 of their own, and the low-pass widens both
    assert after[0] == pytest.approx(before[0], rel=0.05)
    np.testing.assert_allclose(after[1], before[1], atol=0.03)
    np.testing.assert_allclose(after[2], before[2], rtol=0.06, atol=0.1)


@pytest.mark.parametrize("kernel", EVERY)
@pytest.mark.parametrize("opacity", [0.02, 0.1, 0.5])
def test_clone_changes_the_picture_only_to_second_order(kernel: str, opacity: float) -> None:
    parent = one_splat(kernel, opacity)
    both, _ = densification.clone(parent, densification.new_moments(parent), np.array([0]))
    assert len(both) == 2
    before = rasterization.render(parent, camera()).alpha
    after = rasterization.render(both, camera()).alpha
    # 1 - (1 - p f)^2 with p = 1 - sqrt(1 - o) differs from o f by p^2 f (1 - f) <= p^2 / 4;
    # beside that, each thinner copy ends at its own 1/255
    p = 1 - np.sqrt(1 - opacity)
    assert np.max(np.abs(after - before)) <= p * p / 4 + 2 / 255


def test_prune_keeps_moments_beside_their_splats() -> None:
    parent = one_splat("gaussian", 0.3)
    three = replace(
        parent, **{name: np.repeat(a, 3, axis=0) for name, a in parent.arrays().items()}
    )
    moments = densification.new_moments(three)
    moments["means"][0][:] = np.arange(3)[:, None]
    kept, kept_moments = densification.prune(three, moments, np.array([True, False, True]))
    assert len(kept) == 2
    np.testing.assert_array_equal(kept_moments["means"][0][:, 0], [0, 2])


def test_reorder_permutes_splats_with_their_moments_along_a_curve() -> None:
    rng = np.random.default_rng(0)
    parent = one_splat("gaussian", 0.3)
    many = replace(
        parent, **{name: np.repeat(a, 4096, axis=0) for name, a in parent.arrays().items()}
    )
    many.means[:] = rng.uniform(size=(4096, 3))
    many.means[7] = np.nan
    moments = densification.new_moments(many)
    moments["means"][0][:] = many.means
    sorted_, after = densification.reorder(many, moments)
    np.testing.assert_array_equal(after["means"][0], sorted_.means)
    assert sorted(map(tuple, sorted_.means[np.isfinite(sorted_.means[:, 0])])) == sorted(
        map(tuple, many.means[np.isfinite(many.means[:, 0])])
    )
    steps = [np.nanmean(np.linalg.norm(np.diff(s.means, axis=0), axis=1)) for s in (many, sorted_)]
    assert steps[1] < 0.2 * steps[0]


def test_faint_and_broken_splats_are_named() -> None:
    parent = one_splat("raised-cosine", 0.3)
    four = replace(parent, **{name: np.repeat(a, 4, axis=0) for name, a in parent.arrays().items()})
    four.logit_opacities[1] = -20.0
    four.means[2, 0] = np.nan
    four.logit_opacities[3] = np.nan
    np.testing.assert_array_equal(densification.too_faint(four, 0.005), [False, True, True, True])


def test_pull_is_averaged_over_the_views_that_drew_the_splat() -> None:
    statistics = densification.ScreenStatistics.empty(3)
    screen = np.array([[0, 0, 3.0, 4.0], [0, 0, 1.0, 0.0]], np.float32)
    statistics.add(np.array([0, 2]), screen, width=2, height=2)
    statistics.add(np.array([0]), 3 * screen[:1], width=2, height=2)
    np.testing.assert_allclose(statistics.mean_pull, [10.0, 0.0, 1.0])
