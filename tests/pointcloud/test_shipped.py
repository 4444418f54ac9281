"""The weights in the package: small, with whole cards, right about shapes of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

import pointcloud
from data import read_cloud
from pointcloud.package_weights import FOLDER, NAMES
from pointcloud.stored import read_classifier

SHIPPED = [name for name in NAMES if (FOLDER / f"{name}.safetensors").is_file()]
SHAPES = Path(__file__).parents[2] / "data" / "samples" / "shapes"


def test_the_default_is_there_and_all_fit_the_box():
    assert NAMES[0] in SHIPPED
    assert {path.stem for path in FOLDER.glob("*")} == set(SHIPPED)
    assert sum(path.stat().st_size for path in FOLDER.glob("*")) <= 25e6


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_is_whole(name):
    stored = read_classifier(FOLDER / f"{name}.safetensors")
    about = stored.about
    assert about["terms of the data"] and about["data"] and about["clouds"] > 5000
    assert about["epochs"] > 1 and about["recipe"]["seed"] == about["seed"]
    assert about["held_out"]["accuracy"] > 0.8 and about["held_out"]["clouds"] > 400
    assert stored.familiarity is not None and stored.temperature != 1.0


@pytest.mark.parametrize("name", SHIPPED)
def test_sample_shapes_have_their_names(name):
    predictor = pointcloud.load(name)
    files = sorted(SHAPES.iterdir())
    given = predictor.predict([read_cloud(path).xyz for path in files])
    said = {
        path.stem: predictor.labels[row.argmax()] for path, row in zip(files, given, strict=True)
    }
    assert said == {name: name for name in said} and len(said) == 5
