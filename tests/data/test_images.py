"""Decoding and area averaging, by hand-computed numbers."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from data.errors import UserError
from data.images import area_average, photo_size, read_photo


def test_area_average_by_whole_blocks():
    photo = np.arange(4 * 6 * 3, dtype=np.float64).reshape(4, 6, 3)
    expected = photo.reshape(2, 2, 2, 3, 3).mean((1, 3))
    np.testing.assert_allclose(area_average(photo, 2, 2), expected, rtol=1e-6)


def test_area_average_by_hand_where_sizes_do_not_divide():
    row = np.array([[[1.0], [2.0], [3.0], [4.0], [5.0]]])
    # Five pixels to two: each covers 2.5 of them.
    np.testing.assert_allclose(
        area_average(row, 2, 1)[0, :, 0], [(1 + 2 + 1.5) / 2.5, (1.5 + 4 + 5) / 2.5], rtol=1e-6
    )
    column = row.transpose(1, 0, 2)
    # Five to three: 5/3 each, the middle one covers a third of 2, all of 3, a third of 4.
    expected = [(1 + 2 * 2 / 3) / (5 / 3), (2 / 3 + 3 + 4 / 3) / (5 / 3), (4 * 2 / 3 + 5) / (5 / 3)]
    np.testing.assert_allclose(area_average(column, 1, 3)[:, 0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("size", [(7, 5), (13, 9), (1, 1), (6, 8), (3, 2)])
def test_area_average_keeps_the_mean_and_constants(size):
    photo = np.random.default_rng(0).uniform(0, 1, (9, 13, 3))
    small = area_average(photo, *size)
    assert small.shape == (size[1], size[0], 3)
    np.testing.assert_allclose(small.mean((0, 1)), photo.mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(area_average(np.full((9, 13, 3), 7), *size), 7, rtol=1e-6)


def test_area_average_does_not_enlarge():
    with pytest.raises(ValueError, match="at most 4x3"):
        area_average(np.zeros((3, 4, 3)), 5, 3)


def test_alpha_is_composited_on_black(tmp_path):
    rgba = np.array([[[200, 100, 50, 255], [200, 100, 50, 128], [200, 100, 50, 0]]], np.uint8)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert photo_size(tmp_path / "a.png") == (3, 1, True)
    expected = [[[200, 100, 50], [100, 50, 25], [0, 0, 0]]]
    assert read_photo(tmp_path / "a.png").tolist() == expected


def test_grey_and_16_bit_photos_become_rgb_bytes(tmp_path):
    Image.fromarray(np.array([[0, 70, 255]], np.uint8)).save(tmp_path / "grey.png")
    Image.fromarray(np.array([[0, 70 * 257, 65535]], np.uint16)).save(tmp_path / "deep.png")
    for name in ("grey.png", "deep.png"):
        assert read_photo(tmp_path / name).tolist() == [[[0] * 3, [70] * 3, [255] * 3]]


def test_exif_rotation_is_ignored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "a.jpg", exif=exif)
    assert photo_size(tmp_path / "a.jpg") == (8, 4, False)
    assert read_photo(tmp_path / "a.jpg").shape == (4, 8, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_broken_photos_are_one_line_that_names_the_file(tmp_path, suffix):
    path = tmp_path / f"photo{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"no photo", whole[:20]):
        path.write_bytes(content)
        with pytest.raises(UserError) as caught:
            read_photo(path)
        assert f"{path}: expected a readable photo" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_missing_photo_is_said(tmp_path):
    with pytest.raises(UserError, match="found no file"):
        read_photo(tmp_path / "none.jpg")
