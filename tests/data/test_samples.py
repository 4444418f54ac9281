"""The bundled samples and the shared scenes load as they are described."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import data
from data import load_scene, ply
from data.errors import UserError
from data.images import read_photo
from data.motion_files import read_motions

SAMPLES = Path(data.__file__).parent / "samples"


@pytest.mark.parametrize(
    ("name", "train", "test", "points", "size"),
    [
        ("banana", 13, 2, 6884, (500, 332)),
        ("synth_room", 10, 2, 6000, (240, 180)),
        ("synth_splats", 2, 1, 1399, (320, 240)),
    ],
)
def test_the_bundled_scenes(name, train, test, points, size):
    scene = load_scene(SAMPLES / name)
    assert (len(scene.train), len(scene.test), len(scene.points)) == (train, test, points)
    assert scene.notes == () and scene.name == name
    for view in scene.views:
        assert (view.camera.width, view.camera.height) == size
        assert view.image().shape == (size[1], size[0], 3)


def test_tracks_of_the_banana_lie_in_its_photos():
    """Every observed point projects into the photo that observes it."""
    scene = load_scene(SAMPLES / "banana")
    for view in scene.views:
        assert view.seen is not None and len(view.seen) > 20
        camera = view.camera
        xyz = scene.points.xyz[view.seen] @ camera.cam_from_world[:3, :3].T
        pixels = (xyz + camera.cam_from_world[:3, 3]) @ camera.K.T
        pixels = pixels[:, :2] / pixels[:, 2:]
        assert (pixels > -2).all() and (pixels < [camera.width + 2, camera.height + 2]).all()


def test_banana_is_small_and_carries_its_licence():
    files = [file for file in (SAMPLES / "banana").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 4e6
    assert "Piero Toffanin" in (SAMPLES / "banana/LICENSE").read_text()


def test_known_gaussians_are_what_the_readme_says():
    columns, _ = ply.read_vertices(SAMPLES / "synth_splats/gt_splats.ply")
    assert len(columns["x"]) == 2400 and "f_rest_44" in columns
    with np.load(SAMPLES / "synth_splats/gt_float.npz") as truth:
        x, y, width, height = truth["window"]
        scene = load_scene(SAMPLES / "synth_splats")
        for view in scene.views:
            number = view.name[2:5]
            rgb = truth[f"rgb_{number}"]
            assert rgb.shape == (height, width, 3)
            window = view.image()[y : y + height, x : x + width]
            assert np.abs(window - np.clip(rgb, 0, 1)).max() < 0.5 / 255 + 1e-3


def test_the_points_of_the_room_lie_on_its_photos():
    """Sparse points, projected, have the colours of the photos: poses, K and names fit together."""
    scene = load_scene(SAMPLES / "synth_room")
    errors = []
    for view in scene.views:
        camera = view.camera
        cam = scene.points.xyz @ camera.cam_from_world[:3, :3].T + camera.cam_from_world[:3, 3]
        pixels = (cam @ camera.K.T)[:, :2] / cam[:, 2:]
        column, row = np.floor(pixels).astype(int).T
        inside = (cam[:, 2] > 0) & (column >= 0) & (column < camera.width)
        inside &= (row >= 0) & (row < camera.height)
        photo = view.image()[row[inside], column[inside]]
        errors.append(np.abs(photo - scene.points.rgb[inside] / 255).mean(1))
    assert np.median(np.concatenate(errors)) < 0.08  # hidden points make the tail


@pytest.mark.parametrize(
    ("name", "train", "test", "notes"),
    [
        ("fox", 43, 7, ["17 of 67 registered photos are not on disk", "50 OPENCV"]),
        ("king", 20, 3, ["points cover 29% of the photos"]),
        ("sacre_coeur", 8, 2, ["10 SIMPLE_RADIAL"]),
        (
            "lund_subdirs",
            16,
            3,
            [
                "2 of 21 registered photos are not on disk",
                "3 photos are not in the model",
                "19 SIMPLE_RADIAL",
            ],
        ),
        ("lego", 55, 8, ["alpha channel"]),
        ("synth_room_lens", 40, 6, ["6 FULL_OPENCV, 10 OPENCV, 8 OPENCV_FISHEYE, 8 RADIAL"]),
    ],
)
def test_shared_scenes(shared_scenes, name, train, test, notes):
    scene = load_scene(shared_scenes / name, data_factor=4)
    assert (len(scene.train), len(scene.test)) == (train, test)
    assert len(scene.notes) == len(notes)
    for note, part in zip(scene.notes, notes, strict=True):
        assert part in note
    view = scene.views[0]
    assert view.image().shape == (view.camera.height, view.camera.width, 3)


def test_real_text_and_binary_models_agree(shared_scenes):
    from data.colmap import read_model

    binary = read_model(shared_scenes / "king/sparse/0")
    text = read_model(next(p.parent for p in (shared_scenes / "king").rglob("cameras.txt")))
    assert binary.lenses == text.lenses
    poses = {image.name: image.cam_from_world for image in binary.images}
    for image in text.images:
        np.testing.assert_allclose(image.cam_from_world, poses.pop(image.name), atol=1e-12)
    assert not poses
    names = {image.image_id: image.name for image in binary.images}
    for image in text.images:
        mine = binary.seen_by[next(i for i, name in names.items() if name == image.name)]
        seen = text.points.xyz[text.seen_by[image.image_id]]
        assert sorted(map(tuple, binary.points.xyz[mine])) == sorted(map(tuple, seen))
    assert sorted(map(tuple, binary.points.xyz)) == sorted(map(tuple, text.points.xyz))


def test_a_real_truncated_model_says_so(shared_scenes):
    with pytest.raises(UserError, match=r"images\.bin: .*cut short at 2359296 bytes"):
        load_scene(shared_scenes / "stitch_truncated")


def test_undistortion_matches_photos_rendered_through_a_pinhole(shared_scenes):
    """The same room through six lenses, against the same poses rendered without any lens."""
    from scipy.ndimage import map_coordinates

    truth = shared_scenes / "synth_room_lens/gt_undistorted"
    views = {view.name: view for view in load_scene(shared_scenes / "synth_room_lens").views}
    for file, pinhole in json.loads((truth / "cameras.json").read_text()).items():
        view = views[pinhole["image"]]
        expected = read_photo(truth / file) / 255
        fx, fy, cx, cy = pinhole["params"]
        x, y = np.meshgrid(np.arange(pinhole["width"]) + 0.5, np.arange(pinhole["height"]) + 0.5)
        K = view.camera.K
        column = (x - cx) / fx * K[0, 0] + K[0, 2] - 0.5
        row = (y - cy) / fy * K[1, 1] + K[1, 2] - 0.5
        seen = (column > 1) & (column < view.camera.width - 2)
        seen &= (row > 1) & (row < view.camera.height - 2)
        ours = np.moveaxis(view.image(), 2, 0)
        found = np.stack([map_coordinates(c, [row, column], order=1) for c in ours], -1)
        psnr = -10 * np.log10(((found - expected)[seen] ** 2).mean())
        assert seen.mean() > 0.5 and psnr > 30, (file, psnr, seen.mean())


def test_the_dog_has_rigid_bones_feet_that_stand_and_a_2d_input():
    (dog,) = read_motions(SAMPLES / "motion" / "dog.npz")
    assert dog.xyz.shape == (120, 28, 3) and (dog.fps, dog.units) == (24.0, "m")
    parent, child = dog.skeleton.edges.T
    bones = np.linalg.norm(dog.xyz[:, parent] - dog.xyz[:, child], axis=2)
    assert np.ptp(bones, axis=0).max() < 1e-5
    for paw in (name for name in dog.skeleton.names if name.endswith("paw")):
        steps = np.linalg.norm(np.diff(dog.xyz[:, dog.skeleton.names.index(paw)], axis=0), axis=1)
        assert np.mean(steps < 1e-4) > 0.25
    assert dog.observed is not None and 0.05 < np.mean(~dog.observed) < 0.15
    assert dog.xy is not None and np.isnan(dog.xy[~dog.observed]).all()
    assert dog.reprojection_px is not None
    assert 1.0 < np.nanmedian(dog.reprojection_px) < 3.0 < 30 < np.nanmax(dog.reprojection_px)
