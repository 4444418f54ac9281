"""The browser's camera and ours are the same camera."""

from __future__ import annotations

import numpy as np
import pytest

from app.viewer.cameras import (
    camera_from_pose,
    orbit_distance,
    pose_around,
    pose_from_camera,
    up_direction,
)
from data.camera import Camera


def a_camera(seed: int) -> Camera:
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
    cam_from_world[:3, 3] = rng.normal(size=3) * 5
    K = np.array([[420.0, 0, 160], [0, 420.0, 120], [0, 0, 1]])
    return Camera(K, cam_from_world, 320, 240)


@pytest.mark.parametrize("seed", range(20))
def test_round_trip(seed):
    camera = a_camera(seed)
    pose = pose_from_camera(camera, distance=3.0)
    back = camera_from_pose(pose.wxyz, pose.position, pose.fov_y_rad, 320, 240)
    np.testing.assert_allclose(back.cam_from_world, camera.cam_from_world, atol=1e-12)
    np.testing.assert_allclose(back.K, camera.K, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_look_at_is_the_middle_of_the_picture_and_up_points_up(seed):
    camera = a_camera(seed)
    pose = pose_from_camera(camera, distance=3.0)
    look_at, above = (
        camera.cam_from_world[:3, :3] @ xyz + camera.cam_from_world[:3, 3]
        for xyz in (pose.look_at, pose.look_at + pose.up)
    )
    np.testing.assert_allclose(look_at, [0, 0, 3], atol=1e-12)
    assert above[1] < look_at[1]  # y points down in the image


def test_orbit_distance_is_the_depth_of_what_is_looked_at():
    camera = Camera(np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]]), np.eye(4), 100, 100)
    wall = np.array([[0.0, 0, 4], [0.1, 0, 4], [0, 0.1, 4]])
    outside = np.array([[30.0, 0, 20], [0, 0, -9]])
    assert orbit_distance(camera, np.concatenate([wall, outside])) == 4
    assert orbit_distance(camera, np.zeros((0, 3))) == 1


def test_up_is_the_mean_of_the_cameras_and_survives_cameras_that_cancel():
    upright = Camera(np.eye(3), np.eye(4), 2, 2)
    flipped = Camera(np.eye(3), np.diag([-1.0, -1, 1, 1]), 2, 2)
    np.testing.assert_allclose(up_direction([upright]), [0, -1, 0])
    np.testing.assert_allclose(up_direction([upright, flipped]), [0, -1, 0])
    np.testing.assert_allclose(up_direction([flipped]), [0, 1, 0])


def test_a_cloud_without_cameras_is_seen_whole():
    xyz = np.random.default_rng(0).uniform(-1, 1, size=(500, 3)) + np.array([10, -20, 30])
    pose = pose_around(xyz)
    camera = camera_from_pose(pose.wxyz, pose.position, pose.fov_y_rad, 200, 200)
    in_camera = xyz @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
    pixels = in_camera @ camera.K.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    assert in_camera[:, 2].min() > 0
    assert np.mean((pixels > 0) & (pixels < 200)) > 0.95
