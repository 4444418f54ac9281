"""Formats of other programs: back and forth within what each stores, and read by another reader."""

from __future__ import annotations

import gzip
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.camera import Camera
from data.errors import UserError
from splatting import kernels
from splatting.export import save_ply
from splatting.foreign import load_foreign, save_foreign, stored_format
from splatting.half_turn import half_turn
from splatting.rasterization import render
from splatting.splats import Splats

pytest.importorskip("gaussforge", reason="the extra 'formats' is not installed")

N = 60


@pytest.fixture(scope="module")
def splats() -> Splats:
    rng, f32 = np.random.default_rng(0), np.float32
    return Splats(
        means=rng.uniform(-1, 1, (N, 3)).astype(f32),
        log_scales=rng.uniform(-5, -2, (N, 3)).astype(f32),
        quats=rng.normal(size=(N, 4)).astype(f32),
        logit_opacities=rng.normal(size=N).astype(f32),
        sh0=rng.uniform(-1.5, 1.5, (N, 3)).astype(f32),
        shN=(0.2 * rng.uniform(-1, 1, (N, 15, 3))).astype(f32),
        kernel=kernels.get("gaussian"),
    )


def matched(found: Splats, wanted: Splats) -> Splats:
    """`found` in the order of `wanted`: some formats sort."""
    distance = np.linalg.norm(found.means[None] - wanted.means[:, None], axis=2)
    return found.take(np.argmin(distance, axis=1))


def assert_close(found: Splats, wanted: Splats, **within: float) -> None:
    found = matched(found, wanted)

    def opacity(of: Splats) -> np.ndarray:
        return 1 / (1 + np.exp(-of.logit_opacities))

    def unit(of: Splats) -> np.ndarray:
        return of.quats / np.linalg.norm(of.quats, axis=1, keepdims=True)

    assert np.abs(found.means - wanted.means).max() < within["means"]
    assert np.abs(found.log_scales - wanted.log_scales).max() < within["log_scales"]
    assert np.abs(opacity(found) - opacity(wanted)).max() < within["opacity"]
    assert np.abs((unit(found) * unit(wanted)).sum(1)).min() > 1 - within["quats"]
    assert np.abs(found.sh0 - wanted.sh0).max() < within["sh0"]
    if "shN" in within:
        assert np.abs(found.shN - wanted.shN).max() < within["shN"]


def test_spz_comes_back_within_its_bits(splats: Splats, tmp_path: Path) -> None:
    """24-bit positions, 8-bit logarithms of scales in steps of 1/16, 8-bit colours, 10-bit
    rotations, 4 to 5 bits for higher harmonics."""
    save_foreign(tmp_path / "a.spz", splats)
    found = load_foreign(tmp_path / "a.spz")
    assert_close(
        found, splats, means=3e-4, log_scales=0.04, opacity=0.003, quats=1e-4, sh0=0.03, shN=0.08
    )


def test_spz_has_y_up(splats: Splats, tmp_path: Path) -> None:
    """Read by hand: header of 16 bytes, then positions of 24 bits; y and z change sign."""
    save_foreign(tmp_path / "a.spz", splats)
    content = gzip.decompress((tmp_path / "a.spz").read_bytes())
    _, version, count, _, bits = struct.unpack_from("<IIIBB", content)
    assert (version, count) == (3, N)
    raw = [content[i : i + 3] for i in range(16, 16 + 9 * N, 3)]
    numbers = [int.from_bytes(three, "little", signed=True) for three in raw]
    positions = np.array(numbers).reshape(N, 3) / 2**bits
    np.testing.assert_allclose(positions * [1, -1, -1], splats.means, atol=3e-4)


def test_another_reader_of_spz_agrees(splats: Splats, tmp_path: Path) -> None:
    gsply = pytest.importorskip("gsply")
    save_foreign(tmp_path / "a.spz", splats)
    other = gsply.read_spz(str(tmp_path / "a.spz"))
    flipped = np.abs(other.means * [1, -1, -1] - splats.means).max()
    as_stored = np.abs(other.means - splats.means).max()
    assert min(flipped, as_stored) < 3e-4  # some readers turn to COLMAP's axes on their own


def test_ksplat_and_splat_come_back(splats: Splats, tmp_path: Path) -> None:
    limits = {"means": 1e-5, "log_scales": 1e-4, "opacity": 0.005, "quats": 1e-3, "sh0": 0.02}
    for name in ("a.ksplat", "a.splat"):
        save_foreign(tmp_path / name, splats)
        assert_close(load_foreign(tmp_path / name), splats, **limits)


def test_splat_is_what_web_viewers_read(splats: Splats, tmp_path: Path) -> None:
    """By hand, as viser's client and antimatter15's do: 32 bytes a splat, position and sigmas as
    float32, colour and opacity as bytes, then the quaternion as bytes around 128."""
    save_foreign(tmp_path / "a.splat", splats)
    rows = np.frombuffer((tmp_path / "a.splat").read_bytes(), np.uint8).reshape(N, 32)
    numbers = rows[:, :24].copy().view(np.float32)
    order = np.argmin(np.linalg.norm(numbers[None, :, :3] - splats.means[:, None], axis=2), axis=1)
    rows, numbers = rows[order], numbers[order]
    np.testing.assert_allclose(numbers[:, :3], splats.means, atol=1e-6)
    np.testing.assert_allclose(numbers[:, 3:], np.exp(splats.log_scales), rtol=1e-5)
    colour = np.clip(0.5 + 0.28209479 * splats.sh0, 0, 1)
    opacity = 1 / (1 + np.exp(-splats.logit_opacities))
    np.testing.assert_allclose(rows[:, 24:27] / 255, colour, atol=1.01 / 255)
    np.testing.assert_allclose(rows[:, 27] / 255, opacity, atol=1.01 / 255)
    quats = (rows[:, 28:].astype(np.float64) - 128) / 128
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    unit = splats.quats / np.linalg.norm(splats.quats, axis=1, keepdims=True)
    assert np.abs((quats * unit).sum(axis=1)).min() > 1 - 3e-4


def test_another_reader_of_compressed_ply_agrees(splats: Splats, tmp_path: Path) -> None:
    """Within 11 bits of position in the cloud's box, 11 of log scale, 8 of colour and opacity."""
    gsply = pytest.importorskip("gsply")
    save_foreign(tmp_path / "a.compressed.ply", splats)
    other = gsply.plyread(str(tmp_path / "a.compressed.ply"))
    order = np.argmin(np.linalg.norm(other.means[None] - splats.means[:, None], axis=2), axis=1)
    np.testing.assert_allclose(other.means[order], splats.means, atol=2 / 1023)
    np.testing.assert_allclose(other.scales[order], splats.log_scales, atol=3 / 1023)
    opacity, wanted = (
        1 / (1 + np.exp(-np.asarray(logits).reshape(-1)))
        for logits in (other.opacities[order], splats.logit_opacities)
    )
    np.testing.assert_allclose(opacity, wanted, atol=1.01 / 255)
    colours = np.asarray(other.sh0)[order].reshape(N, 3)
    np.testing.assert_allclose(colours, splats.sh0, atol=0.02)


def test_a_compressed_ply_is_known_by_its_content(splats: Splats, tmp_path: Path) -> None:
    """Programs and people call it .ply, as a plain one."""
    save_foreign(tmp_path / "a.compressed.ply", splats)
    (tmp_path / "a.compressed.ply").rename(tmp_path / "a.ply")
    assert stored_format(tmp_path / "a.ply") == "compressed.ply"
    np.testing.assert_allclose(
        matched(load_foreign(tmp_path / "a.ply"), splats).means, splats.means, atol=2 / 1023
    )
    save_ply(tmp_path / "b.ply", splats)
    assert stored_format(tmp_path / "b.ply") is None


def test_half_a_turn_is_what_a_turned_camera_sees(splats: Splats) -> None:
    """Every harmonic: the picture of turned splats by a turned camera is the same."""
    camera = Camera(np.array([[40.0, 0, 20], [0, 40.0, 16], [0, 0, 1]]), np.eye(4), 40, 32)
    camera.cam_from_world[2, 3] = 3.0
    turned = replace(camera, cam_from_world=camera.cam_from_world @ np.diag([1.0, -1, -1, 1]))
    np.testing.assert_allclose(
        render(half_turn(splats), turned).rgb, render(splats, camera).rgb, atol=2e-5
    )
    for name, array in half_turn(half_turn(splats)).arrays().items():
        sign = -1 if name == "quats" else 1  # a whole turn is the other quaternion
        np.testing.assert_array_equal(array * sign, splats.arrays()[name])


@pytest.mark.parametrize("name", ["a.spz", "a.splat", "a.ksplat", "a.compressed.ply"])
@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"\x1f\x8b\x08" + b"\0" * 40])
def test_what_is_broken_is_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=name) as caught:
        load_foreign(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_ply_of_ours_is_read_by_another_reader(splats: Splats, tmp_path: Path) -> None:
    gsply = pytest.importorskip("gsply")
    save_ply(tmp_path / "a.ply", splats)
    other = gsply.plyread(str(tmp_path / "a.ply"))
    np.testing.assert_allclose(other.means, splats.means, atol=1e-6)
    np.testing.assert_allclose(np.asarray(other.sh0).reshape(N, 3), splats.sh0, atol=1e-6)
