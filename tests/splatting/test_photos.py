"""Training photos: bytes at full size, exact means at the coarser levels, cameras that follow."""

from __future__ import annotations

import shutil

import numpy as np
import PIL.Image
import pytest

import data
from splatting.photos import LEAST_SIDE_PX, Photos


def test_levels_halve_photo_and_camera(banana) -> None:
    scene = data.load_scene(banana)
    photos = Photos(scene.train[:1])
    first, second = photos.take(0, 0), photos.take(0, 1)
    full_camera, full, camera, half = first.camera, first.rgb, second.camera, second.rgb
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
    assert all(coming.done() for coming in photos._coming.values())


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
    photo = Photos(scene.train[:1]).take(0, 5).rgb
    assert min(photo.shape[:2]) >= LEAST_SIDE_PX


def test_photos_beyond_the_cache_come_all_the_same(banana) -> None:
    """Room for two: the others are decoded each time, ahead of their turn or not."""
    views = data.load_scene(banana, data_factor=4).train
    size = views[0].camera.width * views[0].camera.height * 4
    with Photos(views, cache_bytes=2.1 * size) as few, Photos(views) as all_of_them:
        assert (few.stay, all_of_them.stay) == (2, len(views))
        few.expect([3, 4])
        for index in (0, 3, 4, 3, 5, 1, 0):
            for level in (0, 1):
                a, b = few.take(index, level), all_of_them.take(index, level)
                np.testing.assert_array_equal(a.rgb, b.rgb)
        assert {index for index, _ in few._kept} == {0, 1}


def test_a_mask_and_an_alpha_channel_come_along(tmp_path) -> None:
    from tests.data.model_files import small_scene

    folder = small_scene(tmp_path, 3)
    rgba = np.full((30, 40, 4), 200, np.uint8)
    rgba[..., 3] = np.where(np.arange(30) < 15, 0, 255)[:, None]
    PIL.Image.fromarray(rgba).save(folder / "images" / "001.png")
    mask = np.zeros((30, 40), np.uint8)
    mask[:, 20:] = 255
    (folder / "masks").mkdir()
    PIL.Image.fromarray(mask).save(folder / "masks" / "002.png")
    with Photos(data.load_scene(folder).train) as photos:
        clear, masked = photos.take(0, 0), photos.take(1, 0)
    assert clear.kept is None and clear.opacity is not None
    assert clear.opacity[:15].max() == 0 and clear.opacity[15:].min() == 1
    assert clear.rgb[:15].max() == 0 and clear.rgb[20, 0, 0] == np.float32(200 / 255)
    assert masked.opacity is None and masked.kept is not None
    np.testing.assert_array_equal(masked.kept, mask / np.float32(255))
