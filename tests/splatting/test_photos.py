"""Training photos: bytes at full size, exact means at the coarser levels, cameras that follow."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import data
from splatting.photos import LEAST_SIDE_PX, Photos


def test_levels_halve_photo_and_camera(banana) -> None:
    scene = data.load_scene(banana)
    photos = Photos(scene.train[:1])
    full_camera, full = photos.take(0, 0)
    camera, half = photos.take(0, 1)
    assert half.shape == (full.shape[0] // 2, full.shape[1] // 2, 3)
    assert (camera.width, camera.height) == half.shape[1::-1]
    assert camera.K[0, 0] == pytest.approx(full_camera.K[0, 0] * camera.width / full_camera.width)
    block = full[:2, :2].mean(axis=(0, 1))
    if full.shape[0] % 2 == 0 and full.shape[1] % 2 == 0:
        np.testing.assert_allclose(half[0, 0], block, atol=0.6 / 255)
    np.testing.assert_allclose(full, scene.train[0].image(), atol=0.51 / 255)


def test_no_file_is_read_after_the_start(banana, monkeypatch) -> None:
    scene = data.load_scene(banana)
    with Photos(scene.train[:1]) as photos:
        photos.take(0, 0)
        monkeypatch.setattr(type(scene.train[0]), "image", None)
        for level in (2, 1, 0):
            photos.take(0, level)


def test_leaving_ends_the_decoding(banana) -> None:
    scene = data.load_scene(banana)
    with Photos(scene.train) as photos:
        photos.take(len(scene.train) - 1, 0)
    assert all(coming.done() for coming in photos._coming)


def test_a_broken_photo_is_refused_when_it_is_taken(banana, tmp_path) -> None:
    scene = data.load_scene(shutil.copytree(banana, tmp_path / "copy"))
    path = scene.train[2].image_path
    path.write_bytes(path.read_bytes()[:60])
    with Photos(scene.train) as photos, pytest.raises(data.UserError, match=path.name):
        photos.take(2, 0)


def test_one_broken_photo_is_told_of_whichever_is_taken(banana, tmp_path) -> None:
    scene = data.load_scene(shutil.copytree(banana, tmp_path / "copy"))
    path = scene.train[2].image_path
    path.write_bytes(path.read_bytes()[:60])
    with Photos(scene.train) as photos:
        with pytest.raises(data.UserError, match=path.name):
            photos.check()
        with pytest.raises(data.UserError, match=path.name):
            photos.take(0, 0)


def test_no_level_is_smaller_than_the_loss_can_take(banana) -> None:
    scene = data.load_scene(banana, data_factor=4)
    _, photo = Photos(scene.train[:1]).take(0, 5)
    assert min(photo.shape[:2]) >= LEAST_SIDE_PX
