"""The reader of COLMAP models: binary, text and pycolmap agree; broken files give one line."""

from __future__ import annotations

import struct

import numpy as np
import PIL.Image  # noqa: F401 (before pycolmap, see docs/decisions.md)
import pytest

from data import colmap_binary
from data.colmap import find_models, read_model
from data.errors import UserError
from tests.data.model_files import CAMERA, binary_model


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    """A model by pycolmap, written both ways, with noise-free tracks of differing lengths."""
    pycolmap = pytest.importorskip("pycolmap")
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 2, 2, 4
    options.num_points3D = 60
    options.camera_model_id = pycolmap.CameraModelId.OPENCV
    options.camera_params = [1280, 1270, 512, 384, 0.1, -0.02, 0.001, 0.002]
    model = pycolmap.synthesize_dataset(options)
    folders = tmp_path_factory.mktemp("bin"), tmp_path_factory.mktemp("txt")
    model.write_binary(str(folders[0]))
    model.write_text(str(folders[1]))
    return model, *folders


def test_binary_text_and_pycolmap_agree(synthetic):
    expected, *folders = synthetic
    points = [expected.points3D[i] for i in sorted(expected.points3D)]
    for folder in folders:
        model = read_model(folder)
        assert len(model.images) == expected.num_reg_images() == 16
        for image in model.images:
            (other,) = (i for i in expected.images.values() if i.name == image.name)
            pose = other.cam_from_world().matrix()
            np.testing.assert_allclose(image.cam_from_world[:3], pose, atol=1e-9)
            lens, camera = model.lenses[image.camera_id], expected.cameras[other.camera_id]
            assert (lens.model.name, lens.width, lens.height) == ("OPENCV", 1024, 768)
            given = [lens.fx, lens.fy, lens.cx, lens.cy, *lens.coefficients]
            np.testing.assert_allclose(given, camera.params, atol=1e-9)
        order = np.lexsort(model.points.xyz.T)
        xyz = np.array([p.xyz for p in points])
        np.testing.assert_allclose(
            model.points.xyz[order], xyz[np.lexsort(xyz.T)], rtol=1e-9, atol=1e-9
        )
        rgb = np.array([p.color for p in points])
        assert (model.points.rgb[order] == rgb[np.lexsort(xyz.T)]).all()


def test_text_with_a_byte_order_mark_windows_lines_and_odd_blank_lines(tmp_path):
    quat = "1 0 0 0"
    texts = {
        "cameras": "# a comment\n\n1 SIMPLE_RADIAL 40 30 50 20 15 0.1\n\n",
        "images": "# IMAGE_ID ...\n"
        f"1 {quat} 0 0 0 1 a b.jpg\n\n"  # a blank line of 2D points, a name with a space
        f"2 {quat} 1 0 0 1 2.jpg\n1.5 2.5 -1 3.5 4.5 7\n"
        f"3 {quat} 2 0 0 1 c.jpg\n"  # its line of 2D points is left out
        f"4 {quat} 3 0 0 1 d.jpg\n\n\n"
        f"5 {quat} 4 0 0 1 005\n10 1 0 0 1 0 0 1 2 3 4 5\n",  # digits only, like an image's line
        "points3D": "7 1 2 3 255 0 9 0.5 1 0 2 4\n\n8 4 5 6 1 2 3 0.1\n",
    }
    for stem, text in texts.items():
        (tmp_path / f"{stem}.txt").write_bytes(
            b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
        )
    model = read_model(tmp_path)
    assert [image.name for image in model.images] == ["a b.jpg", "2.jpg", "c.jpg", "d.jpg", "005"]
    assert [image.cam_from_world[0, 3] for image in model.images] == [0, 1, 2, 3, 4]
    assert model.lenses[1].coefficients == (0.1,)
    assert model.points.xyz.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert model.points.rgb.tolist() == [[255, 0, 9], [1, 2, 3]]


def test_quaternions_are_normalised_and_points_that_are_not_finite_left_out(tmp_path):
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 40 30 50 50 20 15\n")
    (tmp_path / "images.txt").write_text("1 2 0 0 2 0 0 0 1 a.jpg\n\n")
    (tmp_path / "points3D.txt").write_text("1 0 0 nan 1 2 3 0\n2 1 1 1 4 5 6 0\n")
    model = read_model(tmp_path)
    rotation = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    np.testing.assert_allclose(model.images[0].cam_from_world[:3, :3], rotation, atol=1e-12)
    assert model.points.xyz.tolist() == [[1, 1, 1]] and model.points.rgb.tolist() == [[4, 5, 6]]
    assert "1 points" in model.notes[0]


@pytest.mark.parametrize("file", ["cameras.bin", "images.bin", "points3D.bin"])
def test_a_file_cut_anywhere_says_so(tmp_path, file):
    folder = binary_model(tmp_path, ["a.png", "b.png"])
    whole = (folder / file).read_bytes()
    for length in {0, 3, 8, 9, 40, len(whole) // 2, len(whole) - 1}:
        (folder / file).write_bytes(whole[:length])
        with pytest.raises(UserError, match=f"{file}: .*cut short at {length} bytes"):
            read_model(folder)


@pytest.mark.parametrize("file", ["cameras.bin", "images.bin", "points3D.bin"])
def test_an_absurd_count_is_refused_before_memory_is_taken(tmp_path, file):
    folder = binary_model(tmp_path, ["a.png"])
    whole = (folder / file).read_bytes()
    for count in (2**64 - 1, 2**40):
        (folder / file).write_bytes(struct.pack("<Q", count) + whole[8:])
        with pytest.raises(UserError, match="cut short"):
            read_model(folder)


def test_an_absurd_track_is_refused(tmp_path):
    folder = binary_model(tmp_path, ["a.png"], points=1)
    for length in (2**64 - 1, 2**60, 1):
        content = bytearray((folder / "points3D.bin").read_bytes())
        content[51:59] = struct.pack("<Q", length)
        (folder / "points3D.bin").write_bytes(content)
        with pytest.raises(UserError, match="cut short"):
            read_model(folder)


@pytest.mark.parametrize(
    ("cameras", "part"),
    [
        ([(1, 99, 40, 30, CAMERA[4])], "unknown model 99"),
        ([(1, 17, 40, 30, ())], "camera 1: .*EQUIRECTANGULAR"),
        ([(2, *CAMERA[1:]), (2, *CAMERA[1:])], None),
    ],
)
def test_cameras_that_are_no_use(tmp_path, cameras, part):
    folder = binary_model(tmp_path, ["a.png"], cameras)
    if part is None:
        assert list(read_model(folder).lenses) == [2]
        return
    with pytest.raises(UserError, match=part):
        read_model(folder)


@pytest.mark.parametrize(
    ("file", "text", "part"),
    [
        ("cameras.txt", "1 PINHOLE wide 30 50 50 20 15\n", "cameras.txt, line 1: expected CAMERA"),
        ("cameras.txt", "1 PINHOLE 40 30 50\n", "camera 1: .*4 parameters"),
        ("images.txt", "1 1 0 0 0 0 0 0 1\n", "images.txt, line 1: expected IMAGE_ID"),
        ("images.txt", "1 0 0 0 0 0 0 0 1 a.jpg\n", "a.jpg has no valid pose"),
        ("images.txt", "1 1 0 0 0 nan 0 0 1 a.jpg\n", "a.jpg has no valid pose"),
        ("images.txt", "1 1 0 0 0 0 0 0 5 a.jpg\n", "uses camera 5"),
        ("points3D.txt", "1 2 3\n", "points3D.txt, line 1: expected POINT3D_ID"),
    ],
)
def test_text_that_is_not_colmaps(tmp_path, file, text, part):
    (tmp_path / "cameras.txt").write_text("1 PINHOLE 40 30 50 50 20 15\n")
    (tmp_path / "images.txt").write_text("1 1 0 0 0 0 0 0 1 a.jpg\n\n")
    (tmp_path / "points3D.txt").write_text("")
    (tmp_path / file).write_text(text)
    with pytest.raises(UserError, match=part):
        read_model(tmp_path)


def test_a_model_that_lacks_a_file_names_it(tmp_path):
    folder = binary_model(tmp_path, ["a.png"])
    (folder / "images.bin").unlink()
    with pytest.raises(UserError, match=r"expected images\.bin or images\.txt"):
        read_model(folder)


def test_a_model_may_lack_its_points(tmp_path):
    folder = binary_model(tmp_path, ["a.png"])
    (folder / "points3D.bin").unlink()
    model = read_model(folder)
    assert len(model.points) == 0 and model.seen_by == {}
    assert "no points3D.bin" in model.notes[0]


def test_a_dense_cloud_is_read_at_once(tmp_path):
    """Without tracks records are of one length: the tens of millions of a fused cloud are not
    walked one by one, in memory of a few times the file."""
    folder = binary_model(tmp_path, ["a.png"])
    count = colmap_binary._AT_ONCE + 7
    rows = np.zeros(count, colmap_binary._POINT)
    rows["xyz"] = np.random.default_rng(0).normal(size=(count, 3))
    rows["rgb"] = np.arange(count * 3).reshape(count, 3) % 251
    content = struct.pack("<Q", count) + rows.tobytes()
    (folder / "points3D.bin").write_bytes(content)
    model = read_model(folder)
    np.testing.assert_array_equal(model.points.xyz, rows["xyz"])
    np.testing.assert_array_equal(model.points.rgb, rows["rgb"])
    (folder / "points3D.bin").write_bytes(content[:-8] + struct.pack("<Q", 3))
    with pytest.raises(UserError, match="cut short"):
        read_model(folder)


@pytest.mark.parametrize(
    "place",
    ["sparse/0", "sparse", "sparse_txt/0", "sparse_txt", "colmap/sparse/0", "dense/0/sparse", "."],
)
def test_models_are_found_where_programs_put_them(tmp_path, place):
    binary_model(tmp_path / place, ["a.png"])
    assert [model.resolve() for model in find_models(tmp_path)] == [(tmp_path / place).resolve()]


def test_the_model_with_the_most_images_comes_first(tmp_path):
    binary_model(tmp_path / "sparse" / "0", ["a.png"])
    binary_model(tmp_path / "sparse" / "1", ["a.png", "b.png", "c.png"])
    found = [model.name for model in find_models(tmp_path)]
    assert found == ["1", "0"]
