"""Mamba3D as compiled loops against torch in double precision."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data.errors import UserError
from pointcloud.classifier_files import SavedClassifier, save_classifier
from pointcloud.config import GaussianConfig, MambaConfig
from pointcloud.cpu.group_features import GroupFeatures
from pointcloud.cpu.layer_norm import layer_norm
from pointcloud.cpu.mamba import CpuMamba
from pointcloud.cpu.silu import silu
from pointcloud.stored import read_classifier
from simd.threads import set_threads
from tests.pointcloud.small_models import moved
from tests.pointcloud.solids import made_clouds

ROOT = Path(__file__).parents[2]
SMALL = MambaConfig(points=150, centres=13, neighbours=7, width=20, depth=2, state=5, around=3)
CONFIGS = {
    "pointnet": SMALL,
    "gaussian": replace(SMALL, encoder="gaussian", gaussian=GaussianConfig(19)),
    "of sizes": replace(SMALL, metric=True),
    "of sixteens": replace(SMALL, width=32, state=16, neighbours=16, centres=16),
    "diagonal": replace(SMALL, encoder="gaussian", gaussian=GaussianConfig(16, "diagonal")),
}


def network(name: str):
    return moved(CONFIGS[name])


def fused(model, folder: Path, half: bool = False) -> CpuMamba:
    path = folder / "model.safetensors"
    save_classifier(path, SavedClassifier(model, ("a", "b", "c")), half=half)
    return CpuMamba(read_classifier(path), str(path))


def clouds() -> list[np.ndarray]:
    kinds = ("ball", "box", "rod", "ring", "cone")
    return [made_clouds((kinds[k],), 1, n).clouds[0] for k, n in enumerate((149, 150, 400, 1000))]


@pytest.mark.parametrize("name", CONFIGS)
def test_scores_are_those_of_torch_in_double_precision(name: str, tmp_path: Path) -> None:
    model = network(name)
    found = fused(model, tmp_path)
    scores = found.scores(clouds())
    exact = model.double()
    with torch.no_grad():
        expected = exact(*(x.double() for x in exact.prepare(clouds()))).numpy()
    np.testing.assert_allclose(scores, expected, atol=3e-5 * max(1.0, np.abs(expected).max()))
    set_threads(1)
    for cloud, row in zip(clouds(), scores, strict=True):
        np.testing.assert_array_equal(found.scores([cloud])[0], row)
    set_threads(None)


def test_clouds_of_too_few_points_have_answers(tmp_path: Path) -> None:
    found = fused(network("gaussian"), tmp_path)
    assert np.isfinite(found.scores([np.zeros((1, 3)), np.eye(3)])).all()


@pytest.mark.parametrize("points", [1, 5, 6, 16])
def test_a_group_is_what_torch_makes_of_it(points: int, tmp_path: Path) -> None:
    model = network("pointnet").double()
    weights = {f"encoder.{n}": v.float().numpy() for n, v in model.encoder.state_dict().items()}
    groups = np.random.default_rng(0).normal(size=(5, points, 3)).astype(np.float32)
    with torch.no_grad():
        expected = model.encoder(torch.from_numpy(groups).double()[None])[0].amax(1).numpy()
    np.testing.assert_allclose(GroupFeatures.of(weights)(groups), expected, atol=2e-5)


@pytest.mark.parametrize("width", [1, 15, 16, 50])
def test_rows_are_normed_and_gated(width: int) -> None:
    rng = np.random.default_rng(width)
    x = (3 + rng.normal(size=(7, width))).astype(np.float32)
    weight, bias = rng.normal(size=(2, width)).astype(np.float32)
    double = torch.from_numpy(x).double()
    expected = torch.nn.functional.layer_norm(
        double, (width,), torch.from_numpy(weight).double(), torch.from_numpy(bias).double()
    )
    np.testing.assert_allclose(layer_norm(x, weight, bias), expected, atol=2e-5)
    np.testing.assert_allclose(silu(x), torch.nn.functional.silu(double), rtol=1e-5, atol=1e-6)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_classifier(path, SavedClassifier(network("pointnet"), ("a", "b", "c")))
    stored = read_classifier(path)
    spoilt = {**stored.weights, "norm.weight": np.ones(3, np.float32)}
    with pytest.raises(UserError, match=r"here: expected norm.weight of shape \(20,\), found"):
        CpuMamba(replace(stored, weights=spoilt), "here")
    spoilt = {**stored.weights, "neck_norms.0.running_var": np.full(256, -1, np.float32)}
    with pytest.raises(UserError, match="expected variances of 0 or more"):
        CpuMamba(replace(stored, weights=spoilt), "here")


def test_it_needs_no_torch() -> None:
    code = (
        "import sys, numpy, pointcloud\n"
        "found = pointcloud.load('mamba3d-3dgpe').predict(numpy.eye(3).repeat(50, 0))\n"
        "print(found.shape, 'torch' in sys.modules)"
    )
    words = [sys.executable, "-c", code]
    got = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert got.stdout == "(1, 40) False\n"
