"""`pointcloud.load`: one door to every classifier, with and without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pointcloud
from app.viewer.interfaces import Predictor as Expected
from data.errors import UserError
from pointcloud.calibration import Familiarity, probabilities
from pointcloud.classifier_files import SavedClassifier, new_model, save_classifier
from pointcloud.package_weights import NAMES
from pointcloud.prediction import features, scores
from tests.pointcloud.small_models import SMALL
from tests.pointcloud.solids import made_clouds

ROOT = Path(__file__).parents[2]
LABELS = ("ball", "box", "rod")


def written(name: str, path: Path, familiarity: Familiarity | None = None):
    model = new_model(SMALL[name], 3, seed=1).eval()
    save_classifier(path, SavedClassifier(model, LABELS, {}, 1.7, familiarity))
    return model


@pytest.mark.parametrize("name", SMALL)
def test_probabilities_are_those_of_the_model(name: str, tmp_path: Path) -> None:
    model = written(name, tmp_path / "m")
    predictor = pointcloud.load(tmp_path / "m")
    clouds = [
        made_clouds((kind,), 1, n).clouds[0] for kind, n in zip(LABELS, (1, 60, 900), strict=True)
    ]
    found = predictor.predict(clouds)
    assert predictor.labels == LABELS and found.shape == (3, 3) and predictor.points == 128
    np.testing.assert_allclose(found.sum(1), 1.0)
    np.testing.assert_allclose(found, probabilities(scores(model, clouds), 1.7), atol=1e-5)
    for cloud, row in zip(clouds, found, strict=True):
        np.testing.assert_allclose(predictor.predict(cloud), row[None], atol=1e-6)
    many = predictor.predict(clouds * 30)
    assert many.shape == (90, 3)
    np.testing.assert_allclose(many[87:], found, atol=1e-6)
    assert not predictor.unlike(clouds).any()


@pytest.mark.parametrize("name", ["3dgpe with T-Net", "transformer"])
def test_what_is_unlike_the_training_data_is_told(name: str, tmp_path: Path) -> None:
    ball, rod = made_clouds(("ball", "rod"), 1).clouds
    seen = features(written(name, tmp_path / "m"), [ball]).numpy()
    means = np.repeat(seen / np.linalg.norm(seen), 3, 0)
    written(name, tmp_path / "m", Familiarity(np.eye(len(seen[0]), dtype="f4"), means, 1e-5))
    predictor = pointcloud.load(tmp_path / "m")
    assert predictor.unlike([ball, rod]).tolist() == [False, True]
    assert predictor.unlike(rod).tolist() == [True]


def test_it_is_what_the_page_expects(tmp_path: Path) -> None:
    written("3dgpe", tmp_path / "m")
    predictor: Expected = pointcloud.load(tmp_path / "m")
    assert predictor.predict(made_clouds(("rod",), 1).clouds[0]).shape == (1, 3)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_without_weights_says_how_to_make_them(name: str, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("pointcloud.package_weights.FOLDER", tmp_path)
    model = "3dgpe --gaussians 16" if name == "3dgpe-16" else name
    with pytest.raises(UserError) as caught:
        pointcloud.load(name)
    text = str(caught.value)
    assert f"darb3d fit classifier --model {model} --data DATA -o FILE" in text
    assert "\n" not in text


def test_neither_a_name_nor_a_file() -> None:
    with pytest.raises(UserError, match="--model nothing: expected a file, or one of 3dgpe"):
        pointcloud.load("nothing", "--model")


@pytest.mark.parametrize(
    ("xyz", "says"),
    [
        ([], "expected a cloud or more, found none"),
        (np.zeros((0, 3)), "cloud: expected a point or more"),
        ([np.zeros((4, 3)), np.zeros((4, 2))], r"cloud 1: expected numbers of the shape \(n, 3\)"),
        (np.zeros((4, 4)), r"found float64 of the shape \(4, 4\)"),
        (np.full((4, 3), "a"), "expected numbers"),
        ([np.array([[0, 0, np.nan], [1, 1, 1]])], "cloud 0: expected finite .* 1 of 2 points"),
    ],
)
def test_what_is_no_cloud_is_refused(xyz, says: str, tmp_path: Path) -> None:
    written("3dgpe", tmp_path / "m")
    with pytest.raises(UserError, match=says):
        pointcloud.load(tmp_path / "m").predict(xyz)


@pytest.mark.parametrize("name", ["3dgpe with T-Net", "pointnet with T-Net"])
def test_no_torch_for_gaussians_and_pointnet(name: str, tmp_path: Path) -> None:
    written(name, tmp_path / "m")
    code = (
        "import sys, numpy, pointcloud\n"
        "given = pointcloud.load(sys.argv[1]).predict(numpy.eye(3))\n"
        "assert given.shape == (1, 3)\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "m")], cwd=ROOT, check=True)
