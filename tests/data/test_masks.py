"""Masks: where they lie, what they mean, what they do to the points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data import load_scene
from data.errors import UserError
from data.images import read_mask
from tests.data.model_files import binary_model, photos, small_scene

HALF = np.zeros((30, 40), np.uint8)
HALF[:, 20:] = 255


def save(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize(
    "place",
    ["masks/001.png", "masks/001.png.png", "masks/001.jpg", "MASKS", "images/001.png.mask.png",
     "images/001.mask.png"],
)  # fmt: skip
def test_every_usual_place(tmp_path, place):
    scene = small_scene(tmp_path, 3)
    save(HALF, scene / ("masks/001.PNG" if place == "MASKS" else place))
    views = {view.name: view for view in load_scene(scene).views}
    assert views["002.png"].kept() is None
    expected = HALF / 255 if not place.endswith("jpg") else HALF > 0
    np.testing.assert_allclose(views["001.png"].kept(), expected, atol=0.1)


def test_masks_in_sub_folders_belong_to_their_photo(tmp_path):
    names = ["a/1.png", "b/1.png", "b/2.png"]
    binary_model(tmp_path / "sparse/0", names)
    photos(tmp_path / "images", names)
    save(HALF, tmp_path / "masks/b/1.png")
    masked = [view.name for view in load_scene(tmp_path).views if view.mask_path]
    assert masked == ["b/1.png"]


def test_masks_are_not_taken_for_photos(tmp_path):
    """A flat folder: photos, model and masks side by side."""
    names = ["0.png", "1.png", "2.png"]
    binary_model(tmp_path, names)
    photos(tmp_path, names[:2])
    save(HALF, tmp_path / "masks/2.png")
    assert len(load_scene(tmp_path).views) == 2


def test_inverted_and_resized(tmp_path):
    scene = small_scene(tmp_path, 3)
    save(np.kron(HALF, np.ones((2, 2), np.uint8)), scene / "masks/001.png")
    view = load_scene(scene, data_factor=2, invert_masks=True).views[1]
    np.testing.assert_array_equal(view.kept(), (255 - HALF[::2, ::2]) / np.float32(255))


def test_what_an_alpha_channel_means(tmp_path):
    scene = small_scene(tmp_path, 3)
    rgba = np.full((30, 40, 4), 100, np.uint8)
    rgba[..., 3] = HALF
    save(rgba, scene / "images/001.png")
    view = load_scene(scene).views[1]
    assert view.kept() is None and view.image()[0, 0, 0] == 0
    np.testing.assert_array_equal(view.opacity(), HALF / np.float32(255))
    view = load_scene(scene, alpha="mask").views[1]
    assert view.opacity() is None and view.image()[0, 0, 0] == np.float32(100 / 255)
    np.testing.assert_array_equal(view.kept(), HALF / np.float32(255))


def test_the_share_that_is_kept_is_told(tmp_path):
    scene = small_scene(tmp_path, 4)
    for name in ("001.png", "002.png"):
        save(HALF, scene / "masks" / name)
    notes = load_scene(scene).notes
    assert "2 of 3 training photos are masked: 50% is kept" in notes


def test_masks_that_fit_no_photo_are_told(tmp_path):
    scene = small_scene(tmp_path, 3)
    save(HALF, scene / "masks/mask_1.png")
    says = "none of the 1 files in masks/ fits a photo: expected 000.png.png for 000.png, found"
    assert any(note.startswith(says) for note in load_scene(scene).notes)


def test_masks_that_keep_nothing_are_refused(tmp_path):
    scene = small_scene(tmp_path, 3)
    save(np.zeros((30, 40), np.uint8), scene / "masks/001.png")
    with pytest.raises(UserError, match=r"001.png: expected masks that are white .*--invert-masks"):
        load_scene(scene)


def test_points_that_masks_hide_are_no_place_to_start(banana, tmp_path):
    """Everything but the left half of every photo is masked out."""
    import shutil

    scene = Path(shutil.copytree(banana, tmp_path / "scene"))
    for view in load_scene(scene).views:
        mask = np.zeros((332, 500), np.uint8)
        mask[:, :250] = 255
        save(mask, scene / "masks" / f"{Path(view.name).stem}.png")
    whole, half = load_scene(banana), load_scene(scene)
    assert 100 < len(half.points) < len(whole.points)
    for view in half.views:
        assert view.seen is None or view.seen.max() < len(half.points)


def test_alpha_of_a_mask_file_counts_if_it_says_anything(tmp_path):
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, :, 3] = 255
    save(rgba, tmp_path / "a.png")
    assert read_mask(tmp_path / "a.png").tolist() == [[255, 255], [0, 0]]
    rgba[..., 3], rgba[0, 0, :3] = 255, 255
    save(rgba, tmp_path / "b.png")
    assert read_mask(tmp_path / "b.png").tolist() == [[255, 0], [0, 0]]
