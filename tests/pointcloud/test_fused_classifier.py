"""PointNet and 3DGPE as compiled loops against torch in double precision, at sizes around those of
tiles, vectors and threads."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data.errors import UserError
from pointcloud.classifier_files import (
    SavedClassifier,
    load_classifier,
    save_classifier,
)
from pointcloud.config import GaussianConfig, GaussianNetConfig, PointNetConfig
from pointcloud.cpu.classifier import CpuClassifier
from pointcloud.cpu.shapes import shapes_of
from pointcloud.cpu.tiles import TILE, Tiles
from pointcloud.stored import read_classifier
from simd.threads import set_threads
from tests.pointcloud.small_models import moved
from tests.pointcloud.solids import made_clouds

ROOT = Path(__file__).parents[2]
POINTS = 3 * TILE + 5
SIZES = (1, 5, 6, 7, TILE - 1, TILE, TILE + 1, 2 * TILE, POINTS, 1000)
CONFIGS = {
    f"3dgpe {shape} {count}": GaussianNetConfig(
        POINTS, width, t_net, encoder=GaussianConfig(count, shape)
    )
    for shape, count, width, t_net in (
        ("full", 19, 40, True),
        ("full", 32, 1024, False),
        ("diagonal", 16, 33, True),
        ("isotropic", 1, 16, False),
        ("full", 130, 48, False),
    )
} | {
    "pointnet": PointNetConfig(POINTS, (64, 128, 1024), t_net=False),
    "pointnet with T-Net": PointNetConfig(POINTS, (15, 24, 41)),
    "pointnet of sizes": PointNetConfig(POINTS, (15, 24, 41), metric=True),
    "3dgpe of sizes": GaussianNetConfig(POINTS, 48, encoder=GaussianConfig(19), metric=True),
}


def network(name: str):
    return moved(CONFIGS[name])


def fused(model, folder: Path) -> CpuClassifier:
    path = folder / "model.safetensors"
    save_classifier(path, SavedClassifier(model, ("a", "b", "c")))
    return CpuClassifier(read_classifier(path), str(path))


def clouds() -> list[np.ndarray]:
    kinds = ("ball", "box", "rod", "ring", "cone")
    return [made_clouds((kinds[k % 5],), 1, n).clouds[0] for k, n in enumerate(SIZES)]


@pytest.mark.parametrize("name", CONFIGS)
def test_scores_are_those_of_torch_in_double_precision(name: str, tmp_path: Path) -> None:
    model = network(name)
    found = fused(model, tmp_path)
    exact = model.double()
    for cloud, scores, alone in zip(
        clouds(),
        found.scores(clouds()),
        (found.scores([cloud])[0] for cloud in clouds()),
        strict=True,
    ):
        with torch.no_grad():
            inputs = model.prepare([cloud])
            expected = exact(*(one.double() for one in inputs))[0].numpy()
        size = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(scores, expected, atol=2e-5 * size)
        np.testing.assert_array_equal(alone, scores)


@pytest.mark.parametrize("name", ["3dgpe full 19", "3dgpe of sizes", "pointnet with T-Net"])
def test_a_file_in_halves_stays_in_halves(name: str, tmp_path: Path) -> None:
    model, path = network(name), tmp_path / "half.safetensors"
    save_classifier(path, SavedClassifier(model, ("a", "b", "c")), half=True)
    found = CpuClassifier(read_classifier(path), str(path))
    assert found.bytes_a_weight == 2 and fused(model, tmp_path).bytes_a_weight == 4
    exact = load_classifier(path).model.double()
    for cloud, scores in zip(clouds(), found.scores(clouds()), strict=True):
        with torch.no_grad():
            inputs = exact.prepare([cloud])
            expected = exact(*(one.double() for one in inputs))[0].numpy()
        np.testing.assert_allclose(scores, expected, atol=2e-5 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("name", ["3dgpe full 32", "pointnet"])
def test_features_depend_on_neither_threads_nor_batch(name: str, tmp_path: Path) -> None:
    found = fused(network(name), tmp_path)
    cut = found.prepared(clouds())
    whole = found.encode(cut)
    set_threads(1)
    np.testing.assert_array_equal(found.encode(cut), whole)
    set_threads(None)
    for cloud, row in zip(cut, whole, strict=True):
        np.testing.assert_array_equal(found.encode([cloud])[0], row)
        np.testing.assert_array_equal(found.encode([cloud[::-1]])[0], row)


def test_sharp_and_far_gaussians_lose_nothing(tmp_path: Path) -> None:
    """Ten monomials in single precision are 5e-4 off here."""
    model = network("3dgpe full 32")
    with torch.no_grad():
        model.encoder.triangles[:] = torch.tensor([200.0, 3.0, 1.0, 200.0, 2.0, 200.0])
        (xyz,) = model.prepare([made_clouds(("ball",), 1, 300).clouds[0]])
        model.encoder.means[:] = xyz[0, :32] + 0.002 * torch.randn(32, 3)
    found = fused(model, tmp_path)
    expected = model.double().encoder(xyz.double()).amax(1)
    np.testing.assert_allclose(found.encode([xyz[0].numpy()]), expected.detach(), atol=2e-5)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_files_shapes_are_torchs(name: str) -> None:
    expected = {key: tuple(value.shape) for key, value in network(name).state_dict().items()}
    assert shapes_of(CONFIGS[name], 3) == expected


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    fused(network("3dgpe full 19"), tmp_path)
    stored = read_classifier(tmp_path / "model.safetensors")
    other = replace(stored, config=replace(CONFIGS["3dgpe full 19"], width=48))
    with pytest.raises(UserError, match=r"here: expected encoder\.mixer\.bias of shape"):
        CpuClassifier(other, "here")


def test_variances_below_zero_are_refused(tmp_path: Path) -> None:
    model = network("pointnet")
    model.encoder.norms[1].running_var[3] = -0.5
    with pytest.raises(
        UserError, match=r"variances of 0 or more in encoder\.norms\.1\.running_var"
    ):
        fused(model, tmp_path)


@pytest.mark.parametrize("voxels", [1, 3])
def test_tiles_hold_every_point_once(voxels: int) -> None:
    given = [cloud / 2 for cloud in clouds()]
    tiles = Tiles.of(given, voxels)
    assert tiles.sizes.max() <= TILE and tiles.sizes.min() >= 1
    assert len(tiles.firsts) == len(given) + 1 and tiles.firsts[-1] == len(tiles.begins)
    assert tiles.cells.max() < voxels**3
    for cloud, first, last in zip(given, tiles.firsts, tiles.firsts[1:], strict=False):
        rows = np.concatenate(
            [
                np.arange(b, b + n)
                for b, n in zip(tiles.begins[first:last], tiles.sizes[first:last], strict=True)
            ]
        )
        found = tiles.points[rows]
        np.testing.assert_array_equal(
            found[np.lexsort(found.T)], cloud[np.lexsort(cloud.T)].astype(np.float32)
        )


WITHOUT_TORCH = """
import sys
import numpy as np
from pathlib import Path
from pointcloud.cpu.classifier import CpuClassifier
from pointcloud.stored import read_classifier

def peak_mb():
    text = Path("/proc/self/status").read_text()
    return int(next(l for l in text.splitlines() if l.startswith("VmHWM")).split()[1]) / 1024

model = CpuClassifier(read_classifier(sys.argv[1]), "model")
xyz = np.random.default_rng(0).uniform(-1, 1, (200_000, 3)).astype(np.float32)
model.encode([xyz[:100]])
before = peak_mb()
model.encode([xyz])
print("torch" in sys.modules, peak_mb() - before)
"""


def test_neither_torch_nor_points_times_features_in_memory(tmp_path: Path) -> None:
    """200,000 points of 1,024 features would be 800 MB."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of memory is read from /proc")
    fused(network("3dgpe full 32"), tmp_path)
    words = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "model.safetensors")]
    got = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    torch_there, mb = got.stdout.split()
    assert torch_there == "False" and float(mb) < 40
