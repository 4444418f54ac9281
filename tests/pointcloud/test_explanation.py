"""What a 3DGPE says decided: by a cloud whose answer is known by hand, and in the cloud's frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import pointcloud
from app.viewer.interfaces import ExplainingPredictor
from pointcloud.classifier_files import SavedClassifier, new_model, save_classifier
from pointcloud.predictor import Predictor
from tests.pointcloud.small_models import SMALL
from tests.pointcloud.solids import made_clouds


def loaded(name: str, folder: Path, change=lambda model: None) -> Predictor:
    model = new_model(SMALL[name], 3, seed=1).eval()
    with torch.no_grad():
        change(model)
    save_classifier(folder / "m", SavedClassifier(model, ("a", "b", "c")))
    return pointcloud.load(folder / "m")


def test_the_gaussian_with_the_weights_and_its_nearest_point_decide(tmp_path: Path) -> None:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    cloud = 10.0 + 4.0 * corners  # its centre is (10, 10, 10), its radius 4 sqrt 3

    def change(model) -> None:
        model.encoder.means[:] = 5.0
        model.encoder.means[3] = torch.tensor(corners[6] / np.sqrt(3))
        model.encoder.triangles[3] = torch.tensor([2.0, 0, 0, 4.0, 0, 8.0])
        model.encoder.mixer.weight[:] = 0.0
        model.encoder.mixer.weight[:, 3] = 1.0

    predictor = loaded("3dgpe", tmp_path, change)
    assert isinstance(predictor, ExplainingPredictor)
    found = predictor.explain(cloud)
    assert found.indices.tolist() == [6] and len(found.means) == len(found.covariances) == 8
    np.testing.assert_allclose(found.means[0], cloud[6], atol=1e-4)
    half = 4 * np.sqrt(3) / np.array([2, 4, 8])
    np.testing.assert_allclose(found.covariances[0], np.diag(half**2), atol=1e-3)


@pytest.mark.parametrize("points", [100, 5000])
def test_an_explanation_moves_with_the_cloud(points: int, tmp_path: Path) -> None:
    """With the T-Net, and of more points than are looked at."""

    def change(model) -> None:
        model.t_net.matrix.weight += 0.02 * torch.randn(model.t_net.matrix.weight.shape)

    torch.manual_seed(0)
    predictor = loaded("3dgpe with T-Net", tmp_path, change)
    assert isinstance(predictor, ExplainingPredictor)
    cloud = made_clouds(("box",), 1, points).clouds[0].astype(np.float64)
    here, there = predictor.explain(cloud), predictor.explain(7.0 * cloud + 30.0)
    assert set(here.indices) == set(there.indices) and here.indices.max() < points
    np.testing.assert_allclose(there.means, 7.0 * here.means + 30.0, rtol=1e-3, atol=1e-2)
    scale = np.abs(here.covariances).max()
    np.testing.assert_allclose(there.covariances / 49, here.covariances, atol=1e-3 * scale)


def test_others_do_not_say_why(tmp_path: Path) -> None:
    assert not isinstance(loaded("pointnet", tmp_path), ExplainingPredictor)
