"""Every camera model against pycolmap: projection, inverse, undistorted camera and photo."""

from __future__ import annotations

import numpy as np
import PIL.Image  # noqa: F401 (before pycolmap, see docs/decisions.md)
import pytest

from data.errors import UserError
from data.images import undistort
from data.lens_models import EQUIRECTANGULAR_ID, MODELS
from data.lenses import lens_from_colmap, project, undistorted_camera, unproject
from tests.data.model_files import smooth_photo

pycolmap = pytest.importorskip("pycolmap")

WIDTH, HEIGHT = 160, 120
COEFFICIENTS = {
    "SIMPLE_PINHOLE": [[]],
    "PINHOLE": [[]],
    "SIMPLE_RADIAL": [[-0.12], [0.2]],
    "RADIAL": [[0.1, -0.05], [-0.3, 0.1]],
    "OPENCV": [[-0.2, 0.05, 0.002, -0.003], [0.1, 0.02, -0.004, 0.001]],
    "OPENCV_FISHEYE": [[0.03, -0.01, 0.002, 0.001]],
    "FULL_OPENCV": [[-0.2, 0.05, 0.001, -0.002, 0.01, 0.02, -0.01, 0.005]],
    "FOV": [[0.8], [0.005]],
    "SIMPLE_RADIAL_FISHEYE": [[0.05]],
    "RADIAL_FISHEYE": [[0.05, -0.01]],
    "THIN_PRISM_FISHEYE": [[0.03, -0.01, 0.001, -0.002, 0.001, 0.0005, 0.002, -0.001]],
    "RAD_TAN_THIN_PRISM_FISHEYE": [
        [0.03, -0.01, 0.002, 0.001, -0.0005, 0.0001, 0.001, -0.002, 0.002, -0.001, 0.0015, 0.0005]
    ],
    "SIMPLE_DIVISION": [[-0.1], [0.1]],
    "DIVISION": [[0.05]],
    "SIMPLE_FISHEYE": [[]],
    "FISHEYE": [[]],
    "EUCM": [[0.5, 1.1], [0.7, 0.9]],
}
CASES = [(name, extra) for name, extras in COEFFICIENTS.items() for extra in extras]


def both(name: str, extra: list[float]):
    """Our lens and pycolmap's camera with the same parameters."""
    focals = [101.0] if MODELS[name].focals == 1 else [101.0, 104.0]
    params = [*focals, 81.5, 58.0, *extra]
    camera = pycolmap.Camera(model=name, width=WIDTH, height=HEIGHT, params=params)
    return lens_from_colmap(name, WIDTH, HEIGHT, params), camera


def test_every_model_that_pycolmap_knows_is_here():
    known = set(pycolmap.CameraModelId.__members__) - {"INVALID"}
    assert known == set(MODELS) | {"EQUIRECTANGULAR"}
    for name, model in MODELS.items():
        assert int(pycolmap.CameraModelId.__members__[name]) == model.colmap_id
    assert int(pycolmap.CameraModelId.EQUIRECTANGULAR) == EQUIRECTANGULAR_ID
    assert set(COEFFICIENTS) == set(MODELS)


@pytest.mark.parametrize(("name", "extra"), CASES)
def test_project_and_unproject_agree_with_pycolmap(name, extra):
    lens, camera = both(name, extra)
    rng = np.random.default_rng(1)
    uv = np.concatenate([[[0.0, 0.0], [1e-9, 0.0]], rng.uniform(-0.8, 0.8, (200, 2))])
    expected = camera.img_from_cam(np.column_stack([uv, np.ones(len(uv))]))
    np.testing.assert_allclose(project(lens, uv), expected, atol=1e-9)
    pixels = rng.uniform(0, 1, (200, 2)) * (WIDTH, HEIGHT)
    expected = np.array(camera.cam_from_img(pixels))
    found = unproject(lens, pixels)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    if extra != [0.005]:  # COLMAP's series for a tiny angle of FOV is no exact inverse
        np.testing.assert_allclose(project(lens, found), pixels, atol=1e-4)


@pytest.mark.parametrize(("name", "extra"), CASES)
def test_undistorted_camera_is_colmaps(name, extra):
    lens, camera = both(name, extra)
    expected = pycolmap.undistort_camera(pycolmap.UndistortCameraOptions(), camera)
    found = undistorted_camera(lens)
    assert (found.width, found.height) == (expected.width, expected.height)
    np.testing.assert_allclose(found.K, expected.calibration_matrix(), atol=1e-9)


@pytest.mark.parametrize(("name", "extra"), CASES)
def test_undistorted_photo_is_colmaps(name, extra):
    lens, camera = both(name, extra)
    photo = smooth_photo(WIDTH, HEIGHT)
    options = pycolmap.UndistortCameraOptions()
    bitmap, _ = pycolmap.undistort_image(options, pycolmap.Bitmap.from_array(photo), camera)
    expected = bitmap.to_array().astype(int)
    found, pinhole = undistort(photo, lens)
    assert found.shape == (pinhole.height, pinhole.width, 3) == expected.shape
    difference = np.abs(found - expected)
    assert difference.max() <= 1  # half a level may round either way
    assert (difference > 0).mean() < 1e-3


def test_a_photo_shrunk_below_half_is_averaged_as_colmap_does():
    params = [60.0, 80.0, 60.0, 5.0]
    lens = lens_from_colmap("SIMPLE_RADIAL", WIDTH, HEIGHT, params)
    camera = pycolmap.Camera(model="SIMPLE_RADIAL", width=WIDTH, height=HEIGHT, params=params)
    photo = smooth_photo(WIDTH, HEIGHT)
    options = pycolmap.UndistortCameraOptions()
    bitmap, _ = pycolmap.undistort_image(options, pycolmap.Bitmap.from_array(photo), camera)
    found, pinhole = undistort(photo, lens)
    assert pinhole.width < WIDTH / 2
    assert found.shape == bitmap.to_array().shape
    inner = (slice(2, -2), slice(2, -2))
    difference = found[inner].astype(float) - bitmap.to_array()[inner]
    assert np.sqrt((difference**2).mean()) < 3


def test_zero_coefficients_are_a_pinhole_but_a_fisheye_is_not():
    assert lens_from_colmap("OPENCV", 8, 6, [9.0, 9.0, 4.0, 3.0, 0.0, 0.0, 0.0, 0.0]).is_pinhole
    assert lens_from_colmap("EUCM", 8, 6, [9.0, 9.0, 4.0, 3.0, 0.0, 1.3]).is_pinhole
    assert not lens_from_colmap(
        "OPENCV", 8, 6, [9.0, 9.0, 4.0, 3.0, 0.0, 0.0, 1e-3, 0.0]
    ).is_pinhole
    assert not lens_from_colmap("SIMPLE_FISHEYE", 8, 6, [9.0, 4.0, 3.0]).is_pinhole


def test_a_lens_of_another_size_bends_the_same_rays():
    lens = lens_from_colmap("SIMPLE_RADIAL", 100, 80, [90.0, 51.0, 39.0, -0.1])
    larger = lens.resized(250, 160)
    uv = np.array([[0.1, -0.3], [0.4, 0.2]])
    np.testing.assert_allclose(project(larger, uv), project(lens, uv) * (2.5, 2.0))


@pytest.mark.parametrize(
    ("name", "params", "part"),
    [
        ("EQUIRECTANGULAR", [8.0, 6.0], "no pinhole"),
        ("BANANA", [9.0, 4.0, 3.0], "unknown camera model"),
        ("PINHOLE", [9.0, 4.0, 3.0], "has 4 parameters, found 3"),
        ("PINHOLE", [0.0, 9.0, 4.0, 3.0], "positive focal lengths"),
        ("PINHOLE", [float("nan"), 9.0, 4.0, 3.0], "finite"),
    ],
)
def test_what_cannot_be_a_pinhole_is_refused(name, params, part):
    with pytest.raises(UserError, match=part):
        lens_from_colmap(name, 8, 6, params)


def test_a_border_beyond_90_degrees_is_refused():
    lens = lens_from_colmap("SIMPLE_FISHEYE", 400, 400, [60.0, 200.0, 200.0])
    with pytest.raises(UserError, match="90 degrees"):
        undistorted_camera(lens)
