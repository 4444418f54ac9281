"""The point transformer: what an answer depends on, and what it does not."""

from __future__ import annotations

import numpy as np
import pytest

from backbones.config import BackboneConfig
from pointcloud.classifier_files import (
    SavedClassifier,
    load_classifier,
    new_model,
    save_classifier,
)
from pointcloud.config import TransformerConfig
from pointcloud.grouping import group, normalised
from pointcloud.prediction import scores
from tests.pointcloud.solids import made_clouds

SMALL = TransformerConfig(
    points=128,
    centres=12,
    neighbours=6,
    backbone=BackboneConfig(width=24, depth=2, heads=3, head_dim=8),
)


def model(config: TransformerConfig = SMALL, classes: int = 3):
    return new_model(config, classes, seed=1).eval()


def test_an_answer_does_not_depend_on_the_rest_of_the_batch() -> None:
    clouds = made_clouds(("ball", "box", "rod"), 3).clouds
    together = scores(model(), clouds)
    for row, cloud in enumerate(clouds):
        np.testing.assert_allclose(scores(model(), [cloud])[0], together[row], atol=1e-5)
    np.testing.assert_allclose(scores(model(), clouds[::-1])[::-1], together, atol=1e-5)


def test_units_and_place_do_not_matter() -> None:
    clouds = made_clouds(("ball", "rod"), 1).clouds
    moved = [1e3 * cloud.astype(np.float64) + 5e4 for cloud in clouds]
    np.testing.assert_allclose(scores(model(), moved), scores(model(), clouds), atol=1e-3)


@pytest.mark.parametrize("points", [1, 5, 30, 128, 5000])
def test_clouds_of_any_size_give_an_answer_and_always_the_same(points: int) -> None:
    (cloud,) = made_clouds(("box",), 1, points).clouds
    found = scores(model(), [cloud])
    assert found.shape == (1, 3) and np.isfinite(found).all()
    np.testing.assert_array_equal(scores(model(), [cloud]), found)


def test_groups_are_the_nearest_points_around_centres_far_apart() -> None:
    cloud = normalised(made_clouds(("ball",), 1, 200).clouds[0], 1024)
    np.testing.assert_allclose(cloud.mean(0, dtype=np.float64), 0.0, atol=0.2)
    assert np.linalg.norm(cloud, axis=1).max() == pytest.approx(1.0)
    centres, groups = group(cloud, 8, 5, start=3)
    np.testing.assert_array_equal(centres[0], cloud[3])
    np.testing.assert_array_equal(groups[:, 0], 0.0)  # a centre is its own nearest point
    distances = np.linalg.norm(cloud[:, None] - centres, axis=2)
    by_hand = np.sort(distances, axis=0)[:5].T
    np.testing.assert_allclose(np.linalg.norm(groups, axis=2), by_hand, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"attention": "poly3"},
        {"graying": "dct"},
        {"conditioning": 0.1},
        {"skips": "none"},
        {"mixer": "conv", "frozen": "spatial"},
        {"impulse": "line", "tokens": 12},
    ],
)
def test_options_of_the_backbone_train_here(options: dict) -> None:
    config = BackboneConfig(width=24, depth=2, heads=3, head_dim=8, **options)
    network = model(TransformerConfig(128, 12, 6, config)).train()
    inputs = network.prepare(made_clouds(("ball", "rod"), 2).clouds)
    network(*inputs).square().sum().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)
    assert network.token.weight.grad.abs().max() > 0


def test_a_backbone_made_for_another_number_of_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="centres: expected as many as the backbone"):
        TransformerConfig(centres=64, backbone=BackboneConfig(impulse="line", tokens=12))
    with pytest.raises(ValueError, match="expected 1 to 1024"):
        TransformerConfig(neighbours=0)


def test_a_file_gives_back_model_classes_and_options(tmp_path) -> None:
    config = TransformerConfig(100, 12, 6, BackboneConfig(width=24, activation="sinc"))
    network = model(config)
    path = tmp_path / "a.safetensors"
    save_classifier(path, SavedClassifier(network, ("a", "b", "c"), {"steps": 3}))
    found = load_classifier(path)
    assert (found.classes, found.about, found.model.config) == (
        ("a", "b", "c"),
        {"steps": 3},
        config,
    )
    clouds = made_clouds(("ball",), 1).clouds
    np.testing.assert_array_equal(scores(found.model, clouds), scores(network, clouds))
