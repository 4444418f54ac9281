"""How large a cloud is: by hand, and in models that look at it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from data.errors import UserError
from data.labelled_clouds import LabelledClouds
from pointcloud.classifier_files import (
    SavedClassifier,
    built,
    load_classifier,
    new_model,
    save_classifier,
)
from pointcloud.config import FitConfig
from pointcloud.extents import extents
from pointcloud.fitting import fit, initial_state
from pointcloud.prediction import accuracy, scores
from pointcloud.stored import read_classifier
from tests.pointcloud.small_models import SMALL
from tests.pointcloud.solids import made_clouds

CORNERS = np.array(list(product((-3.0, 3.0), (-0.5, 0.5), (-2.0, 2.0))))
"""Of a box 6 long, 1 wide and 4 high."""


def sized(name: str):
    """A small model that looks at sizes, after it has seen some."""
    network = new_model(replace(SMALL[name], metric=True), 3, seed=1).train()
    solids = made_clouds(("ball", "box", "rod"), 4).clouds
    with torch.no_grad():
        for scale in (0.5, 1.0, 2.0):
            network(*network.prepare([scale * cloud for cloud in solids]))
    return network.eval()


def test_the_corners_of_a_box() -> None:
    expected = np.log([np.sqrt(9 + 0.25 + 4), 2.0, 3.0, 0.5])
    c, s = np.cos(0.7), np.sin(0.7)
    turned = CORNERS @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    found = extents([CORNERS, np.add(turned, [5e3, -2e3, 40.0]), 1e3 * CORNERS], 100)
    np.testing.assert_allclose(found[:2], [expected] * 2, atol=1e-5)
    np.testing.assert_allclose(found[2], expected + np.log(1e3), atol=1e-5)


def test_flat_and_single_places_have_an_extent() -> None:
    flat = CORNERS * [1.0, 1.0, 0.0]
    found = extents([flat, np.zeros((7, 3)), CORNERS[:1]], 100)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[0, 1], np.log(1e-3 * np.sqrt(9.25)), atol=1e-5)
    np.testing.assert_array_equal(found[1], found[2])


@pytest.mark.parametrize("name", SMALL)
def test_only_models_that_look_at_sizes_see_a_difference(name: str) -> None:
    (cloud,) = made_clouds(("box",), 1, 300).clouds
    cloud = cloud.astype(np.float64)
    large, moved = 3.0 * cloud, np.add(cloud, [50.0, -20.0, 7.0])
    plain = new_model(SMALL[name], 3, seed=1)
    own, as_large = scores(plain, [cloud, large])
    np.testing.assert_allclose(as_large, own, atol=1e-4)
    own, as_large, as_moved = scores(sized(name), [cloud, large, moved])
    assert np.abs(as_large - own).max() > 1e-3
    np.testing.assert_allclose(as_moved, own, atol=1e-4)


@pytest.mark.parametrize("name", SMALL)
def test_a_file_says_that_its_model_looks_at_sizes(name: str, tmp_path) -> None:
    path = tmp_path / "sized.safetensors"
    network = sized(name)
    save_classifier(path, SavedClassifier(network, ("a", "b", "c")))
    clouds = made_clouds(("ball", "rod"), 1).clouds
    found = load_classifier(path)
    assert found.model.config.metric
    np.testing.assert_array_equal(scores(found.model, clouds), scores(network, clouds))
    stored = read_classifier(path)
    lost = {n: w for n, w in stored.weights.items() if not n.startswith("extent.layer")}
    with pytest.raises(UserError, match=r"expected extent\.layer\.bias of shape"):
        built(replace(stored, weights=lost), str(path))


@pytest.mark.parametrize("name", ["3dgpe", "transformer"])
def test_balls_of_two_sizes_are_told_apart_by_their_size_alone(name: str) -> None:
    balls = made_clouds(("ball",), 24).clouds
    labels = np.arange(24) % 2
    clouds = [(0.4 if label else 1.6) * ball for ball, label in zip(balls, labels, strict=True)]
    data = LabelledClouds(clouds, labels, ("large", "small"), np.arange(24))
    config = FitConfig(steps=30, batch=12, rate=5e-3)
    found = {}
    for metric in (False, True):
        network = new_model(replace(SMALL[name], metric=metric), 2, seed=0)
        state = initial_state(network, config)
        fit(state, data, config)
        found[metric] = accuracy(state.model, data).overall
    assert found[True] == 1.0 > found[False] + 0.2
