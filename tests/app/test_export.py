"""`darb3d export`: each format read back by its own rules, cropping, and one line for wrong
input."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

import data
from splatting.export import load_ply

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
    from dataclasses import replace

    from splatting import kernels
    from splatting.export import save_ply

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


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-o", "a.obj"), "a.obj: expected a name that ends in"),
        (("-o", "none/a.ply"), "expected its folder to exist"),
        (("-o", "a.ply", "--crop-min", 1e9, 1e9, 1e9), "expected splats inside the crop"),
        (("-o", "a.ply", "--min-opacity", 2), "--min-opacity: expected 0 to 1, found 2.0"),
    ],
)
def test_wrong_input_is_one_line(darb3d, tmp_path, words, says):
    result = darb3d.run("export", TRUTH, *words, cwd=tmp_path)
    assert result.returncode == 2 and says in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not list(tmp_path.glob("a*"))
