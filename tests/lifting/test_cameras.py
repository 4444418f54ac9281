from __future__ import annotations

import numpy as np
import pytest

from lifting.cameras import ViewConfig, look_from, random_view, view_of

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
        view = random_view(xyz, up, rng, ViewConfig(distance=(0.3, 0.6)))
        assert np.isfinite(view.xy).all()
        assert np.isclose(np.linalg.norm(view.up_cam), 1.0)
        heights.append(view.elevation_rad)
    assert min(heights) < -0.1 and max(heights) > 1.4
