"""Thumbnails: the size asked for, what the camera sees, and little work for JPEGs."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from data.camera import Camera
from data.errors import UserError
from data.images import read_photo
from data.lenses import lens_from_colmap, undistorted_camera
from data.scene import View
from data.thumbnails import thumbnail


def waves(width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width] / max(width, height)
    return np.stack([128 + 100 * np.sin(9 * x), 128 + 100 * np.cos(7 * y), 255 * x], -1)


def a_view(path, width: int, height: int, lens=None) -> View:
    camera = Camera(np.eye(3), np.eye(4), width, height)
    if lens is not None:
        camera = undistorted_camera(lens)
    return View(path.name, camera, path, "train", lens)


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_it_is_the_photo_shrunk(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(waves(640, 400).astype(np.uint8)).save(path, quality=98)
    view = a_view(path, 640, 400)
    small = thumbnail(view, 160)
    assert small.shape == (100, 160, 3)
    whole = Image.fromarray(read_photo(path)).resize((160, 100), Image.Resampling.BOX)
    assert np.abs(small.astype(int) - np.asarray(whole)).mean() < 1.0


def test_a_jpeg_is_decoded_small_and_a_small_photo_stays_as_it_is(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(waves(1600, 1200).astype(np.uint8)).save(path)
    assert read_photo(path, draft=320).shape == (600, 800, 3)  # 400 x 300 would be too small
    Image.fromarray(waves(90, 60).astype(np.uint8)).save(tmp_path / "b.png")
    assert thumbnail(a_view(tmp_path / "b.png", 90, 60), 160).shape == (60, 90, 3)


def test_it_is_undistorted_as_the_photo_is(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(waves(480, 360).astype(np.uint8)).save(path)
    lens = lens_from_colmap("SIMPLE_RADIAL", 480, 360, [400.0, 240.0, 180.0, -0.2])
    view = a_view(path, 480, 360, lens)
    small = thumbnail(view, 160)
    size = small.shape[1], small.shape[0]
    exact = Image.fromarray((view.image() * 255).astype(np.uint8)).resize(
        size, Image.Resampling.BOX
    )
    assert max(size) == 160
    assert np.abs(small.astype(int) - np.asarray(exact)).mean() < 2.5


def test_a_broken_photo_is_an_error_of_the_user(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no photo")
    with pytest.raises(UserError, match="readable photo"):
        thumbnail(a_view(tmp_path / "a.jpg", 64, 48))
