"""Camera paths: they pass where they should, look where they should, and refuse what is no path."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data import load_scene
from data.camera import Camera
from data.errors import UserError
from splatting.camera_paths import around, between, from_json, looking, through, to_json


@pytest.fixture(scope="module")
def cameras(banana: Path) -> list[Camera]:
    return [view.camera for view in load_scene(banana).views]


def is_rigid(camera: Camera) -> bool:
    rotation = camera.cam_from_world[:3, :3]
    return bool(np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-9))


def test_through_passes_all_cameras(cameras: list[Camera]) -> None:
    count = len(cameras)
    path = through(cameras, 10 * (count - 1) + 1)
    for index, camera in enumerate(cameras):
        np.testing.assert_allclose(
            path[10 * index].cam_from_world, camera.cam_from_world, atol=1e-9
        )
    assert all(map(is_rigid, path))
    assert len(through(cameras[:1], 7)) == 7


def test_around_is_one_round_that_looks_at_the_middle(cameras: list[Camera]) -> None:
    path = around(cameras, 48)
    positions = np.array([camera.position_world for camera in path])
    steps = np.linalg.norm(np.diff(positions, axis=0, append=positions[:1]), axis=1)
    assert all(map(is_rigid, path)) and steps.max() < 4 * np.median(steps)
    # all axes pass through one point, which lies ahead of each
    forward = np.array([camera.cam_from_world[2, :3] for camera in path])
    across = np.eye(3) - forward[:, :, None] * forward[:, None, :]
    focus = np.linalg.solve(across.sum(0), (across @ positions[:, :, None]).sum(0)[:, 0])
    np.testing.assert_allclose(across @ (focus - positions)[:, :, None], 0, atol=1e-6)
    assert (np.einsum("ci,ci->c", forward, focus - positions) > 0).all()
    # as high as the cameras: none is upside down
    ups = -np.array([camera.cam_from_world[1, :3] for camera in path])
    assert (ups @ -np.mean([c.cam_from_world[1, :3] for c in cameras], axis=0) > 0).all()


def test_around_for_cameras_in_a_row_and_in_one_place(cameras: list[Camera]) -> None:
    for line in (cameras[:2], cameras[:1] * 3):
        path = around(line, 12)
        assert np.isfinite([camera.cam_from_world for camera in path]).all()


@pytest.mark.parametrize("closed", [False, True])
def test_between_passes_the_keys_without_a_jerk(cameras: list[Camera], closed: bool) -> None:
    keys = [
        replace(cameras[i], K=cameras[i].K * [[f], [f], [1]]) for i, f in enumerate((1, 2, 1.5))
    ]
    frames = 1200
    path = between(keys, frames, closed)
    assert len(path) == frames and all(map(is_rigid, path))
    poses = np.array([camera.cam_from_world[:3] for camera in path])
    places = np.array([camera.position_world for camera in path])
    sizes = np.linalg.norm(np.ptp(places, axis=0))
    for key in keys:
        apart = np.abs(poses - key.cam_from_world[:3]).sum(axis=(1, 2))
        nearest = path[int(apart.argmin())]
        assert apart.min() < 0.02 * sizes
        assert nearest.K[1, 1] == pytest.approx(key.K[1, 1], rel=0.01)
    if closed:
        places, poses = np.concatenate([places, places[:2]]), np.concatenate([poses, poses[:2]])
    else:
        np.testing.assert_allclose(
            poses[[0, -1]], [k.cam_from_world[:3] for k in (keys[0], keys[-1])]
        )
    # neither speed nor turning jumps: what changes between frames changes little by little
    for values in (places, poses[:, :, :3].reshape(len(poses), 9)):
        steps = np.diff(values, axis=0)
        assert np.linalg.norm(np.diff(steps, axis=0), axis=1).max() < 0.03 * np.ptp(values)
        assert np.linalg.norm(np.diff(steps, axis=0), axis=1).max() < (
            0.05 * np.linalg.norm(steps, axis=1).max()
        )
    focal = np.array([camera.K[1, 1] for camera in path])
    assert focal.min() >= keys[0].K[1, 1] - 1e-6 and focal.max() <= keys[1].K[1, 1] + 1e-6


def test_between_two_keys_is_straight_and_even_and_repeated_keys_do_no_harm(
    cameras: list[Camera],
) -> None:
    one, other = cameras[0], cameras[3]
    places = np.array([camera.position_world for camera in between([one, other], 9)])
    line = np.linspace(one.position_world, other.position_world, 9)
    np.testing.assert_allclose(places, line, atol=1e-9)
    for keys in ([one], [one, one], [one, one, other, other]):
        for closed in (False, True):
            path = between(keys, 7, closed)
            assert len(path) == 7
            assert np.isfinite([camera.cam_from_world for camera in path]).all()


def test_a_path_is_read_back_as_it_was_written(tmp_path: Path, cameras: list[Camera]) -> None:
    k = np.array([[80.0, 0, 48], [0, 80.0, 32], [0, 0, 1]])
    keys = [Camera(k, camera.cam_from_world, 96, 64) for camera in cameras[:3]]
    path = between(keys, 12, closed=True)
    file = tmp_path / "path.json"
    file.write_text(to_json(path, 24.0, keys, closed=True))
    again = from_json(file)
    assert len(again) == 12
    for before, after in zip(path, again, strict=True):
        np.testing.assert_allclose(after.cam_from_world, before.cam_from_world, atol=1e-9)
        np.testing.assert_allclose(after.K, before.K, atol=1e-9)
        assert (after.width, after.height) == (96, 64)
    content = json.loads(file.read_text())
    assert content["fps"] == 24.0 and content["seconds"] == 0.5 and content["is_cycle"]
    assert len(content["keyframes"]) == 3 and len(content["keyframes"][0]["matrix"]) == 16


def test_looking_has_the_target_in_the_middle_and_up_above(cameras: list[Camera]) -> None:
    up = np.array([0.0, 0.0, 1.0])
    camera = looking(cameras[0], np.array([3.0, 1.0, 2.0]), np.array([0.0, 0.5, 0.0]), up)
    seen = camera.cam_from_world @ [0.0, 0.5, 0.0, 1.0]
    np.testing.assert_allclose(seen[:2], 0, atol=1e-12)
    assert seen[2] > 0 and (camera.cam_from_world[:3, :3] @ up)[1] < 0


def path_of(entries: list[dict], **size: object) -> dict:
    return {"render_width": 64, "render_height": 48, "camera_path": entries, **size}


ENTRY = {"camera_to_world": [1, 0, 0, 2, 0, 1, 0, 0, 0, 0, 1, 4, 0, 0, 0, 1], "fov": 90.0}


def test_a_path_of_nerfstudio(tmp_path: Path) -> None:
    file = tmp_path / "path.json"
    file.write_text(json.dumps(path_of([ENTRY, ENTRY])))
    first, _ = from_json(file)
    assert (first.width, first.height, first.K[1, 1]) == (64, 48, pytest.approx(24))
    np.testing.assert_allclose(first.position_world, [2, 0, 4])
    np.testing.assert_allclose(first.cam_from_world @ [2, 1, 0, 1], [0, -1, 4, 1], atol=1e-12)


def test_a_path_in_the_coordinates_of_a_map(tmp_path: Path) -> None:
    """They do not fit into float32: the scene has its own zero."""
    far = [1, 0, 0, 448_002.25, 0, 1, 0, 5_411_000.0, 0, 0, 1, 4, 0, 0, 0, 1]
    file = tmp_path / "path.json"
    file.write_text(json.dumps(path_of([{**ENTRY, "camera_to_world": far}])))
    (camera,) = from_json(file, origin_world=(448_000.0, 5_411_000.0, 0.0))
    np.testing.assert_allclose(camera.position_world, [2.25, 0, 4])


@pytest.mark.parametrize(
    "content",
    [
        "{", "[]", "{}", json.dumps(path_of([])), json.dumps(path_of([{}])),
        json.dumps(path_of([{**ENTRY, "fov": 0}])), json.dumps(path_of([ENTRY], render_width=0)),
        json.dumps(path_of([{**ENTRY, "camera_to_world": [1, 2]}])),
        json.dumps(path_of([ENTRY], camera_type="equirectangular")),
    ],
)  # fmt: skip
def test_what_is_no_path_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "path.json").write_text(content)
    with pytest.raises(UserError, match=r"path\.json: expected a camera path of nerfstudio"):
        from_json(tmp_path / "path.json")
