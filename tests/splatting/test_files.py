"""Splats to files and back: .ply of any program, safetensors, and one line for every broken
file."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from own_kernel import EVERY

from data.errors import UserError
from data.ply import read_vertices, write_vertices
from splatting import checkpoint, kernels, metrics
from splatting.export import load_ply, save_ply
from splatting.splats import Splats, with_origin


def splats_of(kernel: str, degree: int, n: int = 20) -> Splats:
    rng = np.random.default_rng(degree)

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    return Splats(
        means=normal(n, 3),
        log_scales=normal(n, 3),
        quats=normal(n, 4),
        logit_opacities=normal(n),
        sh0=normal(n, 3),
        shN=normal(n, (degree + 1) ** 2 - 1, 3),
        kernel=kernels.get(kernel),
    )


def assert_same(a: Splats, b: Splats) -> None:
    assert a.kernel.name == b.kernel.name and a.kernel.program == b.kernel.program
    for name, array in a.arrays().items():
        np.testing.assert_array_equal(array, b.arrays()[name])
        assert b.arrays()[name].flags["C_CONTIGUOUS"] and b.arrays()[name].dtype == np.float32


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("kernel", EVERY)
def test_both_formats_give_the_same_bits_back(tmp_path: Path, kernel: str, degree: int) -> None:
    splats = splats_of(kernel, degree)
    save_ply(tmp_path / "a.ply", splats)
    assert_same(splats, load_ply(tmp_path / "a.ply"))
    checkpoint.save_splats(tmp_path / "a.safetensors", splats)
    assert_same(splats, checkpoint.load_splats(tmp_path / "a.safetensors"))


def test_the_render_mode_travels(tmp_path: Path) -> None:
    splats = replace(splats_of("gaussian", 0), antialiased=True)
    save_ply(tmp_path / "a.ply", splats)
    assert "SplatRenderMode: mip" in read_vertices(tmp_path / "a.ply")[1]
    checkpoint.save_splats(tmp_path / "a.safetensors", splats)
    assert load_ply(tmp_path / "a.ply").antialiased
    assert checkpoint.load_splats(tmp_path / "a.safetensors").antialiased


def test_the_origin_of_a_georeferenced_scene_travels(tmp_path: Path) -> None:
    splats = replace(splats_of("gaussian", 0), origin_world=(448_200.0, 5_411_900.0, 117.5))
    save_ply(tmp_path / "a.ply", splats)
    assert "SplatOrigin: 448200.0 5411900.0 117.5" in read_vertices(tmp_path / "a.ply")[1]
    checkpoint.save_splats(tmp_path / "a.safetensors", splats)
    loaded = checkpoint.load_splats(tmp_path / "a.safetensors")
    assert loaded.origin_world == load_ply(tmp_path / "a.ply").origin_world == splats.origin_world
    moved = with_origin(loaded, (448_201.0, 5_411_900.0, 117.5))
    np.testing.assert_allclose(moved.means[:, 0], splats.means[:, 0] - 1.0, atol=1e-6)
    np.testing.assert_array_equal(moved.means[:, 1:], splats.means[:, 1:])


@pytest.mark.parametrize("text", ["1 2", "1 2 north", "1 2 nan"])
def test_a_broken_origin_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="expected an origin of three finite numbers"):
        checkpoint.origin_of(text)


def test_the_layout_is_that_of_3dgs(tmp_path: Path) -> None:
    splats = splats_of("raised-cosine", 1)
    save_ply(tmp_path / "a.ply", splats)
    columns, comments = read_vertices(tmp_path / "a.ply")
    expected = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"]
    expected += [f"f_rest_{i}" for i in range(9)] + ["opacity"]
    expected += ["scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    assert list(columns) == expected
    assert "SplatKernel: raised-cosine" in comments
    # channel-major: f_rest_3 is the first harmonic of green
    np.testing.assert_array_equal(columns["f_rest_3"], splats.shN[:, 0, 1])


def test_any_order_without_normals_or_comment_is_read_as_gaussian(tmp_path: Path) -> None:
    splats = splats_of("gaussian", 2)
    save_ply(tmp_path / "a.ply", splats)
    columns, _ = read_vertices(tmp_path / "a.ply")
    shuffled = {n: columns[n] for n in reversed(columns) if n not in ("nx", "ny", "nz")}
    write_vertices(tmp_path / "b.ply", shuffled)
    assert_same(splats, load_ply(tmp_path / "b.ply"))


def test_broken_numbers_are_counted(tmp_path: Path) -> None:
    splats = splats_of("gaussian", 0)
    splats.means[3, 1] = np.nan
    splats.quats[5] = 0
    save_ply(tmp_path / "a.ply", splats)
    with pytest.raises(UserError, match="found 2 of 20 splats"):
        load_ply(tmp_path / "a.ply")


def test_a_broken_harmonic_is_counted(tmp_path: Path) -> None:
    splats = splats_of("gaussian", 2)
    splats.shN[4, 3, 1] = np.inf
    save_ply(tmp_path / "a.ply", splats)
    with pytest.raises(UserError, match="found 1 of 20 splats"):
        load_ply(tmp_path / "a.ply")


def test_a_cloud_and_an_unknown_kernel_are_refused(tmp_path: Path) -> None:
    write_vertices(tmp_path / "cloud.ply", {axis: np.zeros(3, np.float32) for axis in "xyz"})
    with pytest.raises(UserError, match="is it a point cloud"):
        load_ply(tmp_path / "cloud.ply")
    save_ply(tmp_path / "a.ply", splats_of("gaussian", 0))
    columns, _ = read_vertices(tmp_path / "a.ply")
    write_vertices(tmp_path / "b.ply", columns, ["SplatKernel: sinc-of-doom"])
    with pytest.raises(UserError, match="sinc-of-doom"):
        load_ply(tmp_path / "b.ply")


@pytest.mark.parametrize("keep", [0, 7, 100, -10])
def test_a_truncated_checkpoint_is_one_line(tmp_path: Path, keep: int) -> None:
    whole = tmp_path / "a.safetensors"
    checkpoint.save_splats(whole, splats_of("gaussian", 1))
    (tmp_path / "cut").write_bytes(whole.read_bytes()[:keep])
    with pytest.raises(UserError, match="expected a safetensors file"):
        checkpoint.load_splats(tmp_path / "cut")


def test_a_foreign_checkpoint_is_one_line(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"means": np.zeros((2, 3), np.float32)}, str(tmp_path / "other"))
    with pytest.raises(UserError, match="expected the format darb3d-1"):
        checkpoint.load_splats(tmp_path / "other")
    with pytest.raises(UserError, match="expected a safetensors file"):
        checkpoint.load_splats(tmp_path / "absent")


def test_metrics_of_equal_and_of_shifted_pictures() -> None:
    rng = np.random.default_rng(0)
    photo = (0.2 + 0.6 * rng.random((64, 80, 3))).astype(np.float32)
    assert metrics.psnr(photo, photo) == 100.0
    assert metrics.psnr(photo + np.float32(0.1), photo) == pytest.approx(20.0, abs=1e-4)
    assert metrics.ssim(photo, photo) == pytest.approx(1.0, abs=1e-6)
    lpips = metrics.lpips(photo, photo)
    assert lpips is None or lpips == pytest.approx(0.0, abs=1e-6)
    # clamped first: what exceeds the range costs nothing
    assert metrics.psnr(np.where(photo > 0.5, 9.0, photo), np.where(photo > 0.5, 1.0, photo)) == 100


def test_lpips_loads_no_compiler() -> None:
    """Importing torch's takes longer than scoring the photos of a small scene."""
    code = (
        "import sys, numpy as np\n"
        "from splatting import metrics\n"
        "found = metrics.lpips(*np.zeros((2, 64, 64, 3), np.float32))\n"
        "print(found, 'torch._dynamo' in sys.modules)"
    )
    words = [sys.executable, "-c", code]
    found = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout.split() in (["0.0", "False"], ["None", "False"]), found.stderr
