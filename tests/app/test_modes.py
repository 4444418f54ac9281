"""Modes without a browser: ranges, colours, and what contributions are measured in."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from app import modes
from app.contact_sheet import HEAT, ramp
from data.camera import Camera
from data.clouds import PointCloud
from splatting import kernels, render
from splatting.contribution import contributions
from splatting.splats import SH_C0, from_points


def test_the_ramp_goes_through_its_colours_and_no_further():
    steps = np.linspace(0, 1, len(HEAT))
    np.testing.assert_array_equal(ramp(steps), HEAT.astype(np.uint8))
    np.testing.assert_array_equal(ramp(np.array([-1.0, 2.0])), HEAT[[0, -1]].astype(np.uint8))
    assert np.all(np.diff(ramp(np.linspace(0, 1, 100)).astype(int).sum(1)) > 0), "ever brighter"


def test_depth_is_bright_where_near_and_black_where_nothing_is():
    drawn = SimpleNamespace(
        alpha=np.array([[1.0, 0.8, 0.2]]), depth=np.array([[2.0, 3.2, 0.4]], np.float32)
    )
    picture = modes.depth(drawn, modes.Range(2.0, 4.0))
    np.testing.assert_array_equal(picture.rgb[0, 0], HEAT[-1].astype(np.uint8))
    np.testing.assert_array_equal(picture.rgb[0, 1:], HEAT[[0, 0]].astype(np.uint8))
    assert picture.range == modes.Range(2.0, 4.0)


def a_cloud(n: int = 80, opacity: float = 0.6):
    rng = np.random.default_rng(0)
    cloud = PointCloud(rng.normal(size=(n, 3)), rng.integers(0, 256, (n, 3)).astype(np.uint8))
    return from_points(cloud, kernels.get("raised-cosine"), sh_degree=1, opacity=opacity)


def a_camera(width: int, height: int) -> Camera:
    pose = np.eye(4)
    pose[2, 3] = 5.0
    K = np.array([[0.9 * width, 0, width / 2], [0, 0.9 * width, height / 2], [0, 0, 1]])
    return Camera(K, pose, width, height)


def test_contributions_are_pixels_of_the_photos_whatever_they_are_measured_in(monkeypatch):
    splats, camera = a_cloud(), a_camera(800, 600)
    exact, _ = contributions(splats, [camera])
    heard: list[int] = []
    measured = modes.measure(splats, [camera, camera], heard.append)
    assert heard == [1, 2]
    assert measured.sum() == pytest.approx(2 * exact.sum(), rel=0.02)
    large = exact > np.median(exact)
    np.testing.assert_allclose(measured[large], 2 * exact[large], rtol=0.1)


def test_a_splat_that_paints_more_is_brighter_from_every_side():
    splats, painted = a_cloud(5), np.array([0.0, 1.0, 10.0, 100.0, 1e6])
    limits = modes.Range(1.0, 100.0)
    coloured = modes.coloured(splats, painted, limits)
    rgb = np.rint(255 * (0.5 + SH_C0 * coloured.sh0))
    np.testing.assert_array_equal(rgb[[0, 1]], HEAT[[0, 0]])
    np.testing.assert_array_equal(rgb[2], ramp(np.array(0.5)))
    np.testing.assert_array_equal(rgb[[3, 4]], HEAT[[-1, -1]])
    assert coloured.sh_degree == 0 and len(coloured) == 5


def test_ranges_hold_for_any_scene():
    for painted in (np.zeros(4), np.ones(7), np.geomspace(1e-9, 1e9, 50), np.zeros(0)):
        limits = modes.contribution_range(painted)
        assert 0 < limits.low < limits.high
    assert modes.count_limit([np.zeros((3, 3), int)]) == 1.0


def test_what_a_picture_is_composited_by_is_that_of_the_view():
    splats, camera = a_cloud(), a_camera(64, 48)
    plain = render(splats, camera)
    for picture in (modes.depth(plain), modes.alpha(plain), modes.count(splats, camera)):
        np.testing.assert_array_equal(picture.alpha, plain.alpha)
        np.testing.assert_array_equal(picture.depth, plain.depth)
        assert picture.rgb.dtype == np.uint8 and picture.rgb.shape == (48, 64, 3)
