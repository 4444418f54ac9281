"""transforms.json of nerfstudio, instant-ngp and the synthetic scenes; COLMAP's model agrees."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data import load_scene
from data.errors import UserError
from data.lens_models import MODELS
from tests.data.model_files import photos

POSE = [[1, 0, 0, 2.0], [0, 1, 0, 0], [0, 0, 1, 4.0], [0, 0, 0, 1]]
"""A camera at (2, 0, 4) that looks along -z of the file's world, y up."""


def write(folder: Path, name: str = "transforms.json", count: int = 3, **keys: object) -> Path:
    """A scene of `count` frames with photos of 40 x 30 pixels."""
    names = [f"images/{i}.png" for i in range(count)]
    photos(folder, names)
    frames = [{"file_path": name, "transform_matrix": POSE} for name in names]
    content = {"fl_x": 50.0, "w": 40, "h": 30, "frames": frames, **keys}
    (folder / name).write_text(json.dumps(content))
    return folder


def test_axes_and_intrinsics(tmp_path):
    scene = load_scene(write(tmp_path, fl_y=52.0, cx=19.0, cy=14.0))
    camera = scene.views[0].camera
    assert camera.K.tolist() == [[50, 0, 19], [0, 52, 14], [0, 0, 1]]
    np.testing.assert_allclose(camera.position_world, [2, 0, 4])
    # a point in front of the camera and above its axis: depth 4, y of the image negative
    np.testing.assert_allclose(camera.cam_from_world @ [2, 1, 0, 1], [0, -1, 4, 1])
    assert len(scene.train) == 2 and scene.views[0].lens is None


def test_a_frame_may_have_its_own_lens(tmp_path):
    write(tmp_path, camera_model="OPENCV", k1=-0.1)
    file = tmp_path / "transforms.json"
    content = json.loads(file.read_text())
    content["frames"][1] |= {"k1": 0.0, "fl_x": 60.0}
    content["frames"][2] |= {"camera_model": "OPENCV_FISHEYE", "k3": 0.01}
    file.write_text(json.dumps(content))
    first, second, third = load_scene(tmp_path).views
    assert first.lens.model == MODELS["OPENCV"] and first.lens.coefficients == (-0.1, 0, 0, 0)
    assert second.lens is None and second.camera.K[0, 0] == 60
    assert third.lens.model == MODELS["OPENCV_FISHEYE"]
    assert third.lens.coefficients == (-0.1, 0, 0.01, 0)


def test_the_files_of_a_synthetic_scene_say_what_is_held_out(tmp_path):
    """No size, names without a suffix, an angle in place of a focal length."""
    for split, count in (("train", 3), ("test", 2)):
        names = [f"{split}/r_{i}.png" for i in range(count)]
        photos(tmp_path, names)
        frames = [{"file_path": f"./{n[:-4]}", "transform_matrix": POSE} for n in names]
        content = {"camera_angle_x": 2 * np.arctan(0.5), "frames": frames}
        (tmp_path / f"transforms_{split}.json").write_text(json.dumps(content))
    scene = load_scene(tmp_path)
    assert [view.name for view in scene.test] == ["test/r_0.png", "test/r_1.png"]
    assert len(scene.train) == 3 and scene.train[0].camera.K[0, 0] == pytest.approx(40)


def test_names_of_either_side_are_heeded(tmp_path):
    write(
        tmp_path, train_filenames=["images/0.png", "images/1.png"], test_filenames=["images/2.png"]
    )
    scene = load_scene(tmp_path)
    assert [view.name for view in scene.test] == ["images/2.png"]
    assert scene.split == "1 of 3 photos are held out: as transforms.json says"


def test_points_of_a_cloud_beside_it(tmp_path):
    rows = "\n".join(f"{i} 0 0.5 10 20 30" for i in range(120))
    (tmp_path / "points.xyz").write_text(rows)
    scene = load_scene(write(tmp_path, ply_file_path="points.xyz"))
    np.testing.assert_allclose(scene.points.xyz[:120, 0], np.arange(120))


def test_missing_photos_are_counted(tmp_path):
    scene = write(tmp_path, count=4)
    (tmp_path / "images/3.png").unlink()
    loaded = load_scene(scene)
    assert len(loaded.views) == 3
    assert "1 of 4 registered photos are not on disk: images/3.png" in loaded.notes


def test_a_cloud_that_is_missing_is_said(tmp_path):
    loaded = load_scene(write(tmp_path, ply_file_path="sparse_pc.ply"))
    says = "the points that transforms.json names are not on disk: sparse_pc.ply"
    assert says in loaded.notes and len(loaded.points) == 20_000


def test_masks_that_frames_name(tmp_path):
    file = write(tmp_path) / "transforms.json"
    content = json.loads(file.read_text())
    content["frames"][1]["mask_path"] = "hidden/a.png"
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"frame 1: expected its mask 'hidden/a\.png' on disk"):
        load_scene(tmp_path)
    photos(tmp_path, ["hidden/a.png"])
    views = load_scene(tmp_path).views
    assert [view.kept() is not None for view in views] == [False, True, False]


def shear(frame: dict) -> None:
    frame["transform_matrix"] = [[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def mirror(frame: dict) -> None:
    frame["transform_matrix"] = [[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (lambda c: c.pop("frames"), "expected an object with a list of frames"),
        (lambda c: c["frames"].append(3), "frame 3: expected an object with file_path"),
        (lambda c: c["frames"][0].pop("transform_matrix"), "frame 0: expected a transform_matrix"),
        (lambda c: c["frames"][0].update(transform_matrix=[[1, "x"]]), "transform_matrix"),
        (lambda c: shear(c["frames"][1]), "frame 1: .*shears or mirrors"),
        (lambda c: mirror(c["frames"][1]), "frame 1: .*shears or mirrors"),
        (lambda c: c.update(fl_x="wide"), "expected a number for fl_x, found 'wide'"),
        (lambda c: c.update(fl_x=0), "expected fl_x or camera_angle_x"),
        (lambda c: c.update(fl_x=float("nan")), "expected finite numbers"),
        (lambda c: c.update(w=1e300), "expected a size of a photo"),
        (lambda c: c.update(camera_model="EQUIRECTANGULAR"), "found 'EQUIRECTANGULAR'"),
        (lambda c: c.update(camera_model=["OPENCV"]), "expected a camera_model among PINHOLE"),
    ],
)
def test_bad_files_are_one_line(tmp_path, spoil, part):
    file = write(tmp_path) / "transforms.json"
    content = json.loads(file.read_text())
    spoil(content)
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=part) as caught:
        load_scene(tmp_path)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_no_json(tmp_path):
    write(tmp_path)
    (tmp_path / "transforms.json").write_text("{")
    with pytest.raises(UserError, match="expected a JSON file"):
        load_scene(tmp_path)


@pytest.mark.parametrize("name", ["lego"])
def test_a_real_file_agrees_with_colmap(shared_scenes, tmp_path, name):
    """The same photos and poses, once from COLMAP's files and once from the JSON beside them."""
    from data.transforms import find_transforms, read_transforms

    colmap = load_scene(shared_scenes / name)
    model = read_transforms(find_transforms(shared_scenes / name))
    poses = {Path(image.name).name: image.cam_from_world for image in model.images}
    for view in colmap.views:
        np.testing.assert_allclose(
            poses[Path(view.name).name], view.camera.cam_from_world, atol=1e-5
        )
    focal = next(iter(model.lenses.values())).fx
    assert focal == pytest.approx(colmap.views[0].camera.K[0, 0], rel=1e-5)
