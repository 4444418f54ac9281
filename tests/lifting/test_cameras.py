from __future__ import annotations

import numpy as np
import pytest

from lifting.cameras import DISTANCES, ViewConfig, framed, look_from, random_view, view_of

UPS = [(0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.6, 0.0, -0.8)]


@pytest.mark.parametrize("up", UPS)
def test_cameras_are_rotations_that_look_down_by_their_elevation(up) -> None:
    up = np.array(up)
    for azimuth in (0.0, 1.0, 4.0):
        for elevation in (-0.5, 0.0, 0.7, np.pi / 2):
            rotation = look_from(azimuth, elevation, 0.0, up)
            np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
            assert np.linalg.det(rotation) > 0
            forward = rotation[2]
            assert np.isclose(forward @ up, -np.sin(elevation))
            assert np.isclose(rotation[0] @ up, 0.0, atol=1e-12)
            assert rotation[1] @ up <= 1e-12  # y is down


def test_roll_turns_the_picture() -> None:
    up = np.array([0.0, 1.0, 0.0])
    flat, rolled = (look_from(0.3, 0.2, roll, up) for roll in (0.0, np.pi / 2))
    np.testing.assert_allclose(rolled[2], flat[2], atol=1e-12)
    np.testing.assert_allclose(rolled[0], flat[1], atol=1e-12)


def test_a_view_is_its_points_divided_by_depth() -> None:
    rng = np.random.default_rng(0)
    xyz = rng.standard_normal((5, 7, 3))
    up = np.array([0.0, 1.0, 0.0])
    rotation = look_from(0.4, 0.3, 0.1, up)
    view = view_of(xyz, rotation, up, 3.0)
    np.testing.assert_allclose(view.xy, view.xyz_cam[..., :2] / view.xyz_cam[..., 2:])
    diagonal = np.linalg.norm(np.ptp(xyz.reshape(-1, 3), axis=0))
    assert np.isclose(view.xyz_cam[..., 2].mean(), 3.0 * diagonal, rtol=0.2)
    apart = np.linalg.norm(xyz[:, 0] - xyz[:, 1], axis=1)
    found = np.linalg.norm(view.xyz_cam[:, 0] - view.xyz_cam[:, 1], axis=1)
    np.testing.assert_allclose(found, apart)
    weak = view_of(xyz, rotation, up, np.inf)
    np.testing.assert_allclose(weak.xy * diagonal, weak.xyz_cam[..., :2])


def test_nothing_comes_behind_a_camera() -> None:
    rng = np.random.default_rng(1)
    xyz = rng.standard_normal((40, 6, 3)) * [5.0, 1.0, 1.0]
    up = np.array([0.0, 0.0, 1.0])
    heights = []
    for _ in range(200):
        view = random_view(xyz, up, rng, ViewConfig(distance=(0.3, 0.6), framed=0.2))
        assert np.isfinite(view.xy).all()
        assert np.isclose(np.linalg.norm(view.up_cam), 1.0)
        heights.append(view.elevation_rad)
    assert min(heights) < -0.1 and max(heights) > 1.4


def test_a_framed_clip_fills_the_picture_and_does_not_leave_it() -> None:
    rng = np.random.default_rng(2)
    up = np.array([0.0, 0.0, 2.0])
    half = 0.5 * 1080 / 1050
    for _ in range(20):
        xyz = rng.standard_normal((9, 6, 3)) * rng.uniform(0.2, 3.0, 3)
        rotation = look_from(rng.uniform(0, 6), rng.uniform(-0.3, 1.0), 0.0, up)
        view = framed(xyz, rotation, up)
        assert np.abs(view.xy).max() <= half
        diagonal = np.linalg.norm(np.ptp(xyz.reshape(-1, 3), axis=0))
        nearest = view_of(xyz, rotation, up, DISTANCES[0])
        distance = (view.xyz_cam - xyz @ rotation.T)[..., 2].mean()
        middle = 0.5 * (xyz.reshape(-1, 3).min(axis=0) + xyz.reshape(-1, 3).max(axis=0))
        distance = (distance + rotation[2] @ middle) / diagonal
        assert np.abs(nearest.xy).max() > half or np.isclose(distance, DISTANCES[0], atol=0.3)
        assert np.isclose(-rotation[2] @ up / 2.0, np.sin(view.elevation_rad))


def test_framed_cameras_stand_still_and_level() -> None:
    rng = np.random.default_rng(3)
    xyz = rng.standard_normal((9, 6, 3))
    up = np.array([0.0, 1.0, 0.0])
    views = [random_view(xyz, up, rng, ViewConfig(framed=1.0)) for _ in range(50)]
    assert max(abs(view.elevation_rad) for view in views) <= 0.3
    apart = np.linalg.norm(np.diff(xyz, axis=0), axis=2)
    for view in views:
        moved = np.linalg.norm(np.diff(view.xyz_cam, axis=0), axis=2)
        np.testing.assert_allclose(moved, apart, atol=1e-9)
        assert view.up_cam[1] < -0.9
