"""`darb3d export`: each format read back by its own rules, cropping, and one line for wrong
input."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import data
from app.__main__ import main
from app.loading import load
from splatting.export import load_ply, save_ply
from splatting.rasterization import render
from splatting.splats import Splats

TRUTH = Path(data.__file__).parent / "samples" / "synth_splats" / "gt_splats.ply"


def test_a_glb_holds_every_attribute(darb3d, tmp_path):
    result = darb3d.run("export", TRUTH, "-o", "a.glb", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    whole = (tmp_path / "a.glb").read_bytes()
    magic, version, length = struct.unpack_from("<4sII", whole)
    assert (magic, version, length) == (b"glTF", 2, len(whole))
    size, kind = struct.unpack_from("<I4s", whole, 12)
    assert kind == b"JSON" and size % 4 == 0
    document = json.loads(whole[20 : 20 + size])
    (body,) = struct.unpack_from("<I", whole, 20 + size)
    assert body == document["buffers"][0]["byteLength"] == len(whole) - 28 - size
    primitive = document["meshes"][0]["primitives"][0]
    assert primitive["mode"] == 0
    splats = load_ply(TRUTH)

    def column(name: str) -> np.ndarray:
        accessor = document["accessors"][primitive["attributes"][name]]
        view = document["bufferViews"][accessor["bufferView"]]
        start = 28 + size + view["byteOffset"]
        flat = np.frombuffer(whole[start : start + view["byteLength"]], np.float32)
        return flat.reshape(accessor["count"], -1)

    extension = "KHR_gaussian_splatting"
    np.testing.assert_array_equal(column("POSITION"), splats.means)
    np.testing.assert_allclose(column(f"{extension}:SCALE"), np.exp(splats.log_scales), rtol=1e-6)
    unit = splats.quats / np.linalg.norm(splats.quats, axis=1, keepdims=True)
    np.testing.assert_allclose(
        column(f"{extension}:ROTATION"), np.roll(unit, -1, axis=1), rtol=1e-5
    )
    opacity = 1 / (1 + np.exp(-splats.logit_opacities))
    np.testing.assert_allclose(column(f"{extension}:OPACITY")[:, 0], opacity, rtol=1e-5)
    np.testing.assert_array_equal(column(f"{extension}:SH_DEGREE_0_COEF_0"), splats.sh0)
    how = primitive["extensions"][extension]
    assert how["kernel"] == "ellipse" and extension in document["extensionsUsed"]


@pytest.mark.parametrize("name", ["a.splat", "a.compressed.ply"])
def test_gsplats_formats(darb3d, tmp_path, name):
    pytest.importorskip("gsplat", reason="gsplat writes these")
    result = darb3d.run("export", TRUTH, "-o", name, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    content, count = (tmp_path / name).read_bytes(), len(load_ply(TRUTH))
    if name == "a.splat":
        assert len(content) == 32 * count
        first = np.frombuffer(content, np.float32)[:3]
        assert np.isin(first.round(5), load_ply(TRUTH).means.round(5)).all()
    else:
        assert content.startswith(b"ply") and b"packed_position" in content[:2000]


def test_cropping_and_baking(darb3d, tmp_path):
    from splatting import kernels

    splats = replace(load_ply(TRUTH), kernel=kernels.get("half-cosine-square"))
    save_ply(tmp_path / "in.ply", splats)
    middle = np.median(splats.means, axis=0)
    corner = [str(round(float(x), 4)) for x in middle]
    words = ("in.ply", "-o", "out.ply", "--crop-min", *corner, "--bake-gaussian")
    result = darb3d.run("export", *words, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    found = load_ply(tmp_path / "out.ply")
    assert found.kernel.name == "gaussian" and 0 < len(found) < len(splats)
    assert (found.means >= middle - 1e-3).all()
    plain = darb3d.run("export", "in.ply", "-o", "b.ply", "--min-opacity", 0.5, cwd=tmp_path)
    assert "--bake-gaussian" in plain.stdout
    assert load_ply(tmp_path / "b.ply").logit_opacities.min() >= 0


def written(tmp_path: Path, source: Path, name: str, *words: object) -> Splats:
    """What `darb3d export` wrote, read again by `darb3d`."""
    out = tmp_path / name
    assert main(["export", str(source), "-o", str(out), *map(str, words)]) == 0
    return load(out).splats


@pytest.mark.parametrize("name", ["a.ply", "a.glb", "a.spz", "a.splat", "a.compressed.ply"])
def test_a_scale_scales_distances_and_leaves_the_picture(tmp_path, name):
    """The known scene, read again from each format and seen from a camera as much farther away."""
    for package in {"a.spz": ["gaussforge"], "a.splat": ["gsplat", "gaussforge"]}.get(name, []):
        pytest.importorskip(package)
    if name == "a.compressed.ply":
        pytest.importorskip("gsplat")
        pytest.importorskip("gaussforge")
    factor = 2.5
    before = written(tmp_path, TRUTH, name)
    after = written(tmp_path, TRUTH, name, "--scale", factor)
    assert len(before) == len(after)
    for axis in range(3):  # formats may store splats in another order
        low, high = np.quantile(before.means[:, axis], [0.05, 0.95])
        scaled = np.quantile(after.means[:, axis], [0.05, 0.95])
        np.testing.assert_allclose(scaled, [factor * low, factor * high], rtol=2e-3, atol=2e-3)
    sigmas = [np.median(np.exp(splats.log_scales)) for splats in (before, after)]
    assert sigmas[1] == pytest.approx(factor * sigmas[0], rel=0.05)
    camera = data.load_scene(TRUTH.parent).views[0].camera
    pose = camera.cam_from_world.copy()
    pose[:3, 3] *= factor
    one = render(before, camera).rgb
    other = render(after, replace(camera, cam_from_world=pose)).rgb
    assert np.mean(np.abs(one - other)) < (1e-4 if name in ("a.ply", "a.glb") else 5e-3)


@pytest.mark.parametrize("factor", [1e4, 1e-4])
def test_what_does_not_fit_into_the_grid_of_spz_is_refused(tmp_path, capsys, factor):
    out = tmp_path / "a.spz"
    assert main(["export", str(TRUTH), "-o", str(out), "--scale", str(factor)]) == 2
    assert "choose another --scale" in capsys.readouterr().err and not out.exists()


def test_a_scale_moves_the_zero_and_the_cameras_along(tmp_path, capsys):
    source = tmp_path / "far.ply"
    save_ply(source, replace(load_ply(TRUTH), origin_world=(448262.0, 5411932.0, 87.0)))
    found = written(tmp_path, source, "a.ply", "--scale", 0.5)
    assert found.origin_world == (224131.0, 2705966.0, 43.5)
    assert "of the COLMAP model times 0.5" in capsys.readouterr().out
    words = ("--scene", TRUTH.parent)
    for scale in (1.0, 3.0):
        out = tmp_path / "cameras.json"
        scaling = ("--scale", scale)
        assert main(["export", str(TRUTH), "-o", str(out), *map(str, words + scaling)]) == 0
        first = json.loads(out.read_text())[0]
        position = data.load_scene(TRUTH.parent).views[0].camera.position_world
        np.testing.assert_allclose(first["position"], scale * position, rtol=1e-6, atol=1e-12)
    assert "add " not in capsys.readouterr().out
    # beside splats whose zero is elsewhere the cameras have that zero too, and it is said
    assert main(["export", str(source), "-o", str(out), *map(str, ("--scene", TRUTH.parent))]) == 0
    beside = json.loads(out.read_text())[0]["position"]
    np.testing.assert_allclose(beside, position - (448262.0, 5411932.0, 87.0), rtol=1e-12)
    assert "add 448262.0 5411932.0 87.0 to its coordinates" in capsys.readouterr().out


def test_a_crop_is_in_the_coordinates_of_the_model_also_far_from_zero(tmp_path):
    splats, origin = load_ply(TRUTH), (448262.0, 5411932.0, 87.0)
    save_ply(tmp_path / "far.ply", replace(splats, origin_world=origin))
    low, high = np.array([-0.5, -0.4, -0.1]), np.array([0.4, 0.5, 0.6])
    corners = [*("--crop-min", *(low + origin)), *("--crop-max", *(high + origin))]
    found = written(tmp_path, tmp_path / "far.ply", "a.ply", *corners)
    inside = ((splats.means >= low) & (splats.means <= high)).all(axis=1)
    assert 0 < inside.sum() < len(splats)
    np.testing.assert_array_equal(found.means, splats.means[inside])


def test_the_largest_and_the_floaters_are_left_out(tmp_path, capsys):
    splats = load_ply(TRUTH)
    found = written(tmp_path, TRUTH, "a.ply", "--max-size", 0.035)
    np.testing.assert_array_equal(
        found.means, splats.means[np.exp(splats.log_scales).max(axis=1) <= 0.035]
    )
    means = splats.means.copy()
    means[7] = (0.5, 0.5, 3.0)  # in the air, and the only one there
    save_ply(tmp_path / "spoiled.ply", replace(splats, means=means))
    found = written(tmp_path, tmp_path / "spoiled.ply", "a.ply", "--drop-floaters", 0.5)
    assert len(found) == len(splats) - 1 and found.means[:, 2].max() < 2
    assert "without cameras" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-o", "a.obj"), "a.obj: expected a name that ends in"),
        (("-o", "none/a.ply"), "expected its folder to exist"),
        (("-o", "a.ply", "--crop-min", 1e9, 1e9, 1e9), "expected splats inside the crop"),
        (("-o", "a.ply", "--min-opacity", 2), "--min-opacity: expected 0 to 1, found 2.0"),
        (("-o", "a.ply", "--scale", 0), "--scale: expected a factor above 0, found 0.0"),
    ],
)
def test_wrong_input_is_one_line(darb3d, tmp_path, words, says):
    result = darb3d.run("export", TRUTH, *words, cwd=tmp_path)
    assert result.returncode == 2 and says in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not list(tmp_path.glob("a*"))
