"""Scenes: which photos are taken, the split, the cameras, the scale, and every unusable folder."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data import PointCloud, inner_split, load_scene
from data.errors import UserError
from data.photo_files import match_names, photo_folder, photos_below
from tests.data.model_files import CAMERA, binary_model, photos, small_scene, smooth_photo


def test_every_eighth_of_the_sorted_names_on_disk_is_held_out(tmp_path):
    names = [f"{i:02d}.png" for i in range(20)]
    binary_model(tmp_path / "sparse/0", names[::-1])
    photos(tmp_path / "images", [*names, "not in the model.png"])
    for gone in ("00.png", "05.png"):
        (tmp_path / "images" / gone).unlink()
    scene = load_scene(tmp_path)
    assert [view.name for view in scene.views] == [
        n for n in names if n not in ("00.png", "05.png")
    ]
    assert [view.name for view in scene.test] == ["01.png", "10.png", "18.png"]
    assert len(scene.train) == 15
    assert "2 of 20 registered photos are not on disk: 05.png, 00.png" in scene.notes
    assert "1 photos are not in the model: not in the model.png" in scene.notes
    everything = load_scene(tmp_path, train_on_all=True)
    assert len(everything.train) == 18 and everything.test == ()


def test_the_rule_of_the_split_is_named(tmp_path):
    scene = load_scene(small_scene(tmp_path, 20))
    assert scene.split == "3 of 20 photos are held out: every 8th of the sorted names"
    assert (
        inner_split(scene).split == "3 of 17 photos are held out: every 8th of the training photos"
    )


def test_the_inner_split_never_shows_the_held_out_views(tmp_path):
    scene = load_scene(small_scene(tmp_path, 20))
    inner = inner_split(scene)
    assert {view.name for view in inner.views} == {view.name for view in scene.train}
    expected = [view.name for i, view in enumerate(scene.train) if i % 8 == 0]
    assert [view.name for view in inner.test] == expected


def test_names_sort_as_strings_with_their_folders(tmp_path):
    names = ["b 2/1.png", "a/2.PNG", "a/10.png"]
    binary_model(tmp_path / "sparse/0", names)
    photos(tmp_path / "images", names)
    assert [view.name for view in load_scene(tmp_path).views] == [
        "a/10.png",
        "a/2.PNG",
        "b 2/1.png",
    ]


@pytest.mark.parametrize(
    ("names", "disk", "expected"),
    [
        (["a/1.jpg"], ["a/1.jpg", "b/1.jpg"], {"a/1.jpg": "a/1.jpg"}),
        (["A/1.JPG"], ["a/1.jpg"], {"A/1.JPG": "a/1.jpg"}),
        (["a/1.jpg"], ["a/1.png"], {"a/1.jpg": "a/1.png"}),
        (["old/1.jpg", "old/2.jpg"], ["1.JPG"], {"old/1.jpg": "1.JPG"}),
        (["1.jpg"], ["deep/er/1.png"], {"1.jpg": "deep/er/1.png"}),
        # Folders agree elsewhere, so the missing photo is not the one of the same name beside it.
        (["a/1.jpg", "a/2.jpg"], ["a/1.jpg", "b/2.jpg"], {"a/1.jpg": "a/1.jpg"}),
    ],
)
def test_matching_of_names(names, disk, expected):
    assert match_names(names, disk) == expected


@pytest.mark.parametrize(
    ("names", "disk"),
    [
        (["1.jpg"], ["a/1.jpg", "b/1.jpg"]),
        (["1.jpg"], ["1.png", "1.webp"]),
        (["x/1.jpg", "y/1.jpg"], ["1.jpg"]),
    ],
)
def test_names_that_fit_several_ways_are_refused(names, disk):
    with pytest.raises(UserError, match="one file each"):
        match_names(names, disk)


def test_intrinsics_follow_the_size_of_the_file_and_the_factor(tmp_path):
    names = ["a.png", "b.png"]
    binary_model(tmp_path / "sparse/0", names)
    photos(tmp_path / "images", names, size=(21, 16))  # the camera has 40x30
    scene = load_scene(tmp_path, data_factor=2)
    camera = scene.views[0].camera
    assert (camera.width, camera.height) == (10, 8)
    sx, sy = 10 / 40, 8 / 30
    np.testing.assert_allclose(camera.K, [[50 * sx, 0, 5], [0, 50 * sy, 4], [0, 0, 1]])
    assert scene.views[1].image().shape == (8, 10, 3)
    assert camera.position_world.tolist() == [0, 0, 0]
    assert scene.views[1].camera.position_world.tolist() == [1, 0, 0]


def test_pinhole_photos_are_not_resampled(tmp_path):
    binary_model(tmp_path / "sparse/0", ["a.png", "b.png"])
    photo = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(photo).save(tmp_path / "images" / name)
    view = load_scene(tmp_path).views[0]
    assert view.lens is None
    assert view.image().dtype == np.float32
    np.testing.assert_array_equal(view.image(), photo.astype(np.float32) / np.float32(255))


def test_photos_of_a_bending_lens_are_undistorted_and_noted(tmp_path):
    lens = (1, 2, 40, 30, (50.0, 20.0, 15.0, -0.5))
    binary_model(tmp_path / "sparse/0", ["a.png", "b.png"], [lens])
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(smooth_photo(40, 30)).save(tmp_path / "images" / name)
    scene = load_scene(tmp_path)
    view = scene.views[0]
    assert view.lens is not None and view.camera.width > 40
    assert view.image().shape == (view.camera.height, view.camera.width, 3)
    assert view.image().min() > 0  # no blank pixels
    assert "photos are undistorted as COLMAP does: 2 SIMPLE_RADIAL" in scene.notes


def test_the_radius_is_the_spread_of_the_cameras_or_the_depth_of_the_points(tmp_path):
    folder = small_scene(tmp_path, 4)
    binary_model(folder / "sparse/0", [f"00{i}.png" for i in range(4)], points=200)
    scene = load_scene(folder, train_on_all=True)
    # Cameras at x = 0, 1, 2, 3: distances 1.5, 0.5, 0.5, 1.5 from their centroid.
    assert scene.radius == pytest.approx(1.1)
    from dataclasses import replace

    original = PointCloud(scene.points.xyz[:200])  # random ones follow
    alone = replace(scene, views=(scene.views[0],) * 3, points=original)
    depth = np.median([np.linalg.norm([i, 0.5, 4]) for i in range(200)])
    assert alone.radius == pytest.approx(depth)


def test_several_models_are_noted(tmp_path):
    names = [f"{i}.png" for i in range(4)]
    binary_model(tmp_path / "sparse/0", names[:2])
    binary_model(tmp_path / "sparse/1", names)
    photos(tmp_path / "images", names)
    scene = load_scene(tmp_path)
    assert len(scene.views) == 4
    assert "2 models: using sparse/1 with the most images (4), leaving sparse/0" in scene.notes


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_any_script(tmp_path, form):
    """macOS stores an accent as a character of its own; zips and models carry that elsewhere."""
    names = ["прогулка/фото 1.png", "プール/写真.png", "café/Zoë.png", "שלום.png"]
    binary_model(tmp_path / "sparse/0", [unicodedata.normalize(form, name) for name in names])
    other = "NFD" if form == "NFC" else "NFC"
    photos(tmp_path / "images", [unicodedata.normalize(other, name) for name in names])
    assert len(load_scene(tmp_path).views) == 4


def test_the_folder_that_holds_most_photos_is_taken(tmp_path):
    """A few left in images/, all of them in input/; what lies elsewhere is no photo of theirs."""
    names = [f"{i}.png" for i in range(5)]
    binary_model(tmp_path / "sparse/0", names)
    photos(tmp_path / "images", names[:2])
    photos(tmp_path / "input", names[:4])
    photos(tmp_path / "elsewhere", names)
    scene = load_scene(tmp_path)
    assert {view.image_path.parent.name for view in scene.views} == {"input"}
    assert "1 of 5 registered photos are not on disk: 4.png" in scene.notes


def test_names_that_begin_with_the_folder_of_photos(tmp_path):
    """By base name they would fit twice."""
    names = ["images/a/1.png", "images/b/1.png"]
    binary_model(tmp_path / "sparse/0", names)
    photos(tmp_path, names)
    assert len(load_scene(tmp_path).views) == 2


def test_links_are_followed_but_not_in_circles(tmp_path):
    names = ["cam/0.png", "cam/1.png"]
    binary_model(tmp_path / "scene/sparse/0", names)
    photos(tmp_path / "disk", ["0.png", "1.png"])
    (tmp_path / "scene/images").mkdir()
    (tmp_path / "scene/images/cam").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/above").symlink_to(tmp_path / "disk")
    scene = load_scene(tmp_path / "scene")
    assert [view.name for view in scene.views] == names and not scene.notes[:-1]


def test_what_systems_and_runs_keep_beside_photos_is_no_photo(tmp_path):
    hidden = ["._0.png", ".thumbnails/0.png", "@eaDir/0.png", "__MACOSX/0.png", "masks/0.png"]
    photos(tmp_path, ["0.png", "walk/1.png", "run/renders/0.png", *hidden])
    for name in ("config.json", "metrics.jsonl"):
        (tmp_path / "run" / name).touch()
    assert photos_below(tmp_path) == ["0.png", "walk/1.png"]


def test_photos_alone_are_not_taken_twice(tmp_path):
    photos(tmp_path / "images_2", ["0.png"])
    assert photo_folder(tmp_path) == tmp_path
    photos(tmp_path / "images", ["0.png"])
    assert photo_folder(tmp_path) == tmp_path / "images"
    photos(tmp_path, ["1.png"])
    assert photo_folder(tmp_path) == tmp_path


def test_a_shrunk_folder_beside_a_flat_scene_is_another_one(tmp_path):
    names = ["0.png", "1.png"]
    photos(binary_model(tmp_path / "flat", names), names)
    photos(tmp_path / "flat_2", names, (20, 15))
    half = load_scene(tmp_path / "flat", data_factor=2)
    assert {view.image_path.parent.name for view in half.views} == {"flat"}


def remove_photos(path: Path) -> None:
    shutil.rmtree(path / "images")


def rename_photos(path: Path) -> None:
    for file in (path / "images").iterdir():
        file.rename(file.with_name("x" + file.name))


def corrupt(path: Path) -> None:
    (path / "images/001.png").write_bytes(b"not a photo")


def rotate(path: Path) -> None:
    Image.new("RGB", (30, 40)).save(path / "images/001.png")


def keep_one(path: Path) -> None:
    (path / "images/001.png").unlink()
    (path / "images/002.png").unlink()


def ambiguous(path: Path) -> None:
    for copy in ("images/a", "images/b"):
        photos(path / copy, ["000.png", "001.png", "002.png"])
    for file in (path / "images").glob("*.png"):
        file.unlink()


BAD = {
    "ambiguous": (ambiguous, "images: registered name 000.png fits the files a/000.png, b/000.png"),
    "no such folder": (shutil.rmtree, "expected a folder with a COLMAP scene, found nothing"),
    "empty": (lambda p: (shutil.rmtree(p), p.mkdir()), "folder is empty"),
    "no model": (lambda p: shutil.rmtree(p / "sparse"), "found no COLMAP model"),
    "no photos": (remove_photos, "found no photos; expected them in"),
    "all missing": (rename_photos, "none of the 3 registered photos is on disk .*000.png"),
    "one photo": (keep_one, r"found one photo \(000.png\)"),
    "corrupt photo": (corrupt, "001.png: expected a readable photo"),
    "rotated photo": (rotate, "found 30x40 pixels, expected the shape of its camera"),
    "no images": (lambda p: binary_model(p / "sparse/0", []), "found no registered images"),
    "twice": (lambda p: binary_model(p / "sparse/0", ["000.png"] * 2), "registered twice"),
    "a directory for a file": (
        lambda p: ((p / "sparse/0/cameras.bin").unlink(), (p / "sparse/0/cameras.bin").mkdir()),
        "expected cameras.bin or cameras.txt",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_every_unusable_folder_is_one_line(tmp_path, case):
    spoil, part = BAD[case]
    scene = small_scene(tmp_path / "scene")
    spoil(scene)
    with pytest.raises(UserError, match=part) as caught:
        load_scene(scene)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_file_in_place_of_a_folder_and_impossible_factors(tmp_path):
    scene = small_scene(tmp_path)
    with pytest.raises(UserError, match="found a file"):
        load_scene(scene / "images/000.png")
    with pytest.raises(UserError, match="expected 1 or more"):
        load_scene(scene, 0)
    with pytest.raises(UserError, match="smaller data factor"):
        load_scene(scene, 31)


def test_names_that_are_no_utf8_can_be_printed(tmp_path):
    folder = binary_model(tmp_path / "sparse/0", ["ab.png"])
    content = (folder / "images.bin").read_bytes().replace(b"ab.png", b"\xe9b.png")
    (folder / "images.bin").write_bytes(content)
    photos(tmp_path / "images", ["other.png"])
    with pytest.raises(UserError) as caught:
        load_scene(tmp_path)
    str(caught.value).encode("utf-8")


def test_photos_whose_names_are_no_utf8_are_loaded_and_shown(tmp_path):
    names = ["a\udce9.png", "b\udce9.png", "c\udce9.png"]
    folder = binary_model(tmp_path / "sparse/0", ["aX.png", "bX.png", "cX.png"])
    content = (folder / "images.bin").read_bytes().replace(b"X.png", b"\xe9.png")
    (folder / "images.bin").write_bytes(content)
    try:
        photos(tmp_path / "images", names[:2])
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    scene = load_scene(tmp_path)
    assert [view.name for view in scene.views] == ["a?.png", "b?.png"]
    assert scene.views[0].image().shape == (30, 40, 3)
    assert "1 of 3 registered photos are not on disk: c?.png" in scene.notes


def test_the_camera_of_the_samples_is_the_one_of_the_model(tmp_path):
    view = load_scene(small_scene(tmp_path)).views[0]
    fx, fy, cx, cy = CAMERA[4]
    assert view.camera.K.tolist() == [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]


def test_photos_that_are_shrunk_already_stand_in_when_all_are_there(tmp_path):
    """`images_2` of the size that COLMAP's users round to: K follows the actual size."""
    scene = small_scene(tmp_path, 3)
    photos(tmp_path / "images_2", ["000.jpg", "001.jpg", "002.jpg"], size=(21, 15))
    half = load_scene(scene, data_factor=2)
    assert {view.image_path.parent.name for view in half.views} == {"images_2"}
    camera = half.views[0].camera
    assert (camera.width, camera.height, camera.K[0, 0]) == (21, 15, 50 * 21 / 40)
    assert any("images_2/" in note for note in half.notes)
    assert load_scene(scene).views[0].image_path.parent.name == "images"
    (tmp_path / "images_2/001.jpg").unlink()
    assert load_scene(scene, data_factor=2).views[0].image_path.parent.name == "images"


def test_the_folder_of_the_3dgs_converter(tmp_path):
    """input/ and distorted/ hold the bent pair, images/ and sparse/0 the straight one."""
    small_scene(tmp_path, 3)
    bent = (1, 2, 44, 33, (50.0, 22.0, 16.5, -0.1))
    binary_model(tmp_path / "distorted/sparse/0", ["000.png", "001.png", "002.png"], [bent])
    photos(tmp_path / "input", ["000.png", "001.png", "002.png"], size=(44, 33))
    scene = load_scene(tmp_path)
    assert scene.views[0].image_path.parent.name == "images" and scene.views[0].lens is None
    shutil.rmtree(tmp_path / "sparse")  # it was stopped half way
    scene = load_scene(tmp_path)
    assert scene.views[0].image_path.parent.name == "input" and scene.views[0].lens is not None


def of_a_phone(path: Path) -> Path:
    remove_photos(path)
    (path / "images").mkdir()
    (path / "images/000.HEIC").touch()
    return path


def without_model(path: Path) -> Path:
    shutil.rmtree(path / "sparse")
    return of_a_phone(path)


NEARBY = {
    "the folder above": (lambda path: path.parent, "there is one for .*scene, name that folder"),
    "its photos": (lambda path: path / "images", "there is one for .*scene, name that folder"),
    "its model": (lambda path: path / "sparse/0", "those in .*images need the scene .*scene$"),
    "photos of a phone": (of_a_phone, r"; 1 photos are \.heic, .* convert them to \.jpg"),
    "no model either": (without_model, r"1 photos are \.heic, .* convert them to \.jpg"),
}


@pytest.mark.parametrize("case", NEARBY)
def test_a_folder_that_is_nearly_right_is_told_what_to_do(tmp_path, case):
    spoil, part = NEARBY[case]
    with pytest.raises(UserError, match=part):
        load_scene(spoil(small_scene(tmp_path / "scene")))
