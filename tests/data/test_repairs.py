"""Scenes far from zero, without points, with points at a lens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data import load_scene
from data.clouds import PointCloud
from data.random_points import looking_distance, random_points
from data.repairs import covered, recentred, with_points
from data.scene import Scene
from tests.data.model_files import small_scene


def moved(scene: Scene, offset: np.ndarray) -> Scene:
    """The scene as a georeferenced model would hold it."""
    views = []
    for view in scene.views:
        pose = view.camera.cam_from_world.copy()
        pose[:3, 3] -= pose[:3, :3] @ offset
        views.append(replace(view, camera=replace(view.camera, cam_from_world=pose)))
    points = PointCloud(scene.points.xyz + offset, scene.points.rgb)
    return replace(scene, views=tuple(views), points=points)


def test_a_georeferenced_scene_is_recentred_and_says_where(banana):
    scene = load_scene(banana)
    assert recentred(scene) is scene and scene.origin_world == (0.0, 0.0, 0.0)
    utm = np.array([448_262.123, 5_411_932.678, 117.5])
    far = moved(scene, utm)
    near = recentred(far)
    origin = np.array(near.origin_world)
    assert np.abs(origin - utm).max() < 20 * scene.radius
    assert any("far from zero" in note for note in near.notes)
    np.testing.assert_allclose(near.points.xyz + origin, far.points.xyz, atol=1e-8)
    for a, b in zip(near.views, far.views, strict=True):
        np.testing.assert_allclose(
            a.camera.position_world + origin, b.camera.position_world, atol=1e-7
        )
    # what a camera sees has not moved
    view, there = near.views[3].camera, far.views[3].camera
    first = near.points.xyz[:50] @ view.cam_from_world[:3, :3].T + view.cam_from_world[:3, 3]
    second = far.points.xyz[:50] @ there.cam_from_world[:3, :3].T + there.cam_from_world[:3, 3]
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_random_points_lie_where_two_cameras_look(banana):
    scene = load_scene(banana)
    cameras = [view.camera for view in scene.train]
    points = random_points(cameras, 500)
    assert len(points) == 500 and points.rgb.shape == (500, 3)
    seen = np.zeros(500, int)
    for camera in cameras:
        xyz = points.xyz @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
        pixels = (xyz @ camera.K.T)[:, :2] / xyz[:, 2:]
        seen += (xyz[:, 2] > 0) & ((pixels >= 0) & (pixels < [500, 332])).all(1)
    assert (seen >= 2).all()
    np.testing.assert_array_equal(points.xyz, random_points(cameras, 500).xyz)
    # what the cameras look at: their axes meet at the distance of the sparse points
    depth = np.median(
        [
            (scene.points.xyz @ c.cam_from_world[2, :3] + c.cam_from_world[2, 3]).mean()
            for c in cameras
        ]
    )
    assert 0.5 * depth < looking_distance(cameras) < 2 * depth


def test_random_points_for_cameras_that_share_nothing(tmp_path):
    """Side by side, in parallel, too far apart to see the same; and all in one place."""
    scene = load_scene(small_scene(tmp_path, 3))
    apart = [moved(scene, np.array([1e3 * i, 0, 0])).views[0].camera for i in range(3)]
    together = [scene.views[0].camera] * 3
    for cameras in (apart, together):
        points = random_points(cameras, 100)
        assert len(points) == 100 and np.isfinite(points.xyz).all()


def test_a_scene_without_points_gets_some(tmp_path, banana):
    bare = load_scene(small_scene(tmp_path, 3))
    assert len(bare.points) == 5 + 20_000
    assert any("has 5 points: 20,000 random ones" in note for note in bare.notes)
    scene = load_scene(banana)
    empty = with_points(replace(scene, points=PointCloud(np.empty((0, 3)))))
    assert len(empty.points) == 20_000 and "no points" in empty.notes[-1]


def test_points_at_a_lens_are_left_out_and_tracks_follow(banana):
    scene = load_scene(banana)
    centre = scene.train[0].camera.position_world
    xyz = np.concatenate([centre[None], scene.points.xyz])
    views = tuple(replace(view, seen=np.concatenate([[0], view.seen + 1])) for view in scene.views)
    dirty = replace(scene, points=PointCloud(xyz), views=views)
    clean = with_points(dirty)
    np.testing.assert_array_equal(clean.points.xyz, scene.points.xyz)
    for view, original in zip(clean.views, scene.views, strict=True):
        np.testing.assert_array_equal(view.seen, original.seen)
    assert "1 points lie at the lens" in clean.notes[-1]


def test_points_that_leave_most_of_the_photos_empty_get_company(banana):
    """The points of one corner of the scene alone; with all of them nothing is added."""
    scene = load_scene(banana)
    assert covered(scene) > 0.5 and not any("random" in note for note in scene.notes)
    middle = np.median(scene.points.xyz, axis=0)
    near = np.linalg.norm(scene.points.xyz - middle, axis=1)
    few = scene.without_points(near > np.sort(near)[150])
    found = with_points(few)
    assert covered(few) < 1 / 3 and len(found.points) == len(few.points) + 1_000
    assert covered(found) > 0.5 and "1,000 random ones" in found.notes[-1]
