"""What holds for every kind of classifier: an answer is a cloud's own, a file gives the model back,
and a small one learns sixty-four clouds by heart."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from torch.nn import functional

from backbones.config import MODEL_FORMAT
from data.errors import UserError
from data.labelled_clouds import LabelledClouds
from pointcloud.batches import rows_of_step
from pointcloud.calibration import Familiarity
from pointcloud.classifier_files import (
    SavedClassifier,
    load_classifier,
    new_model,
    save_classifier,
)
from pointcloud.config import (
    FitConfig,
    GaussianNetConfig,
    MambaConfig,
    ModelConfig,
    PointNetConfig,
)
from pointcloud.fitting import descend, initial_state
from pointcloud.prediction import accuracy, scores
from tests.pointcloud.small_models import SMALL
from tests.pointcloud.solids import made_clouds

NAMES = ("a", "b", "c")


def model(name: str):
    """A model whose batch norms have seen something, so that they are not the identity."""
    network = new_model(SMALL[name], 3, seed=1).train()
    with torch.no_grad():
        for _ in range(3):
            network(*network.prepare(made_clouds(("ball", "box", "rod"), 4).clouds))
    return network.eval()


@pytest.mark.parametrize("name", SMALL)
def test_an_answer_does_not_depend_on_the_rest_of_the_batch(name: str) -> None:
    clouds = [*made_clouds(("ball", "box"), 2).clouds, *made_clouds(("rod",), 1, 57).clouds]
    network = model(name)
    together = scores(network, clouds)
    alone = np.concatenate([scores(network, [cloud]) for cloud in clouds])
    np.testing.assert_allclose(alone, together, atol=2e-5)
    np.testing.assert_allclose(scores(network, clouds[::-1])[::-1], together, atol=2e-5)


@pytest.mark.parametrize("name", SMALL)
def test_clouds_of_any_size_place_and_unit_give_an_answer(name: str) -> None:
    network = model(name)
    for points in (1, 5, 2000):
        (cloud,) = made_clouds(("box",), 1, points).clouds
        found = scores(network, [cloud])
        assert found.shape == (1, 3) and np.isfinite(found).all()
        np.testing.assert_array_equal(scores(network, [cloud]), found)
    moved = 1e3 * cloud.astype(np.float64) + 5e4
    np.testing.assert_allclose(scores(network, [moved]), found, atol=2e-3)
    flat = scores(network, [np.zeros((30, 3))])
    assert np.isfinite(flat).all()


def learned_by_heart(
    config: ModelConfig, points: int, steps: int, batch: int, rate: float
) -> float:
    """Accuracy on 64 clouds after a training on them, as they are in use.

    Groupings begin at each cloud's first point: a training draws the point anew in each step, and
    a cloud of a few points in other groups is another cloud, which is not learned by heart.
    """
    kinds = ("ball", "box", "rod", "disc", "ring", "cone", "ball", "box")
    data = made_clouds(kinds, 8, points)
    # eight labels, of which four pairs look alike: features of single clouds have to be found
    data = LabelledClouds(data.clouds, data.labels, tuple("abcdefgh"), data.groups)
    fitting = FitConfig(steps=steps, batch=batch, rate=rate, weight_decay=0.0)
    state = initial_state(new_model(config, 8, seed=0), fitting)
    inputs, labels = state.model.prepare(data.clouds), torch.from_numpy(data.labels)

    def aim(step: int):
        rows = rows_of_step(len(data), batch, step, seed=0)
        scores = state.model(*(whole[rows] for whole in inputs))
        return functional.cross_entropy(scores, labels[rows]), {}

    # to the end: batch norms remember what they saw while the weights still moved
    descend(state, aim, fitting)
    return accuracy(state.model, data).overall


@pytest.mark.parametrize(
    ("name", "steps"), [("3dgpe with T-Net", 150), ("mamba3d", 40), ("mamba3d-3dgpe", 60)]
)
def test_a_small_one_learns_64_clouds_by_heart(name: str, steps: int) -> None:
    config = SMALL[name]
    if isinstance(config, MambaConfig):
        config = replace(config, centres=8, neighbours=4)
    assert learned_by_heart(config, 64, steps, 32, 5e-3) == 1.0


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("encoder", ["gaussian", "pointnet"])
def test_the_full_mamba3d_learns_64_clouds_by_heart(
    encoder: Literal["gaussian", "pointnet"],
) -> None:
    """12 blocks of width 384 on 128 groups of 32: half an hour on two cores."""
    config = MambaConfig(encoder=encoder, drop_path=0.0, dropout=0.0)
    assert learned_by_heart(config, 1024, 48, 16, 5e-4) == 1.0


@pytest.mark.parametrize("name", SMALL)
def test_a_file_gives_back_everything(name: str, tmp_path) -> None:
    network = model(name)
    width = network.head.in_features
    familiar = Familiarity(np.eye(width, dtype="f4"), np.ones((3, width), "f4"), 0.4)
    saved = SavedClassifier(network, NAMES, {"steps": 3}, 1.7, familiar)
    save_classifier(tmp_path / "a", saved)
    found = load_classifier(tmp_path / "a")
    assert (found.classes, found.about, found.temperature) == (NAMES, {"steps": 3}, 1.7)
    assert found.model.config == SMALL[name] and found.familiarity is not None
    clouds = made_clouds(("ball", "rod"), 1).clouds
    np.testing.assert_array_equal(scores(found.model, clouds), scores(network, clouds))
    save_classifier(tmp_path / "half", saved, half=True)
    sizes = [(tmp_path / n).stat().st_size for n in ("a", "half")]
    assert sizes[1] < 0.75 * sizes[0]
    near = scores(load_classifier(tmp_path / "half").model, clouds)
    np.testing.assert_allclose(near, scores(network, clouds), atol=2e-2)


def spoilt(path, **changes) -> None:
    """Rewrite the file's text."""
    from safetensors import safe_open

    from data.array_files import write_arrays

    with safe_open(str(path), framework="np") as file:
        text = file.metadata()
        arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    details = json.loads(text["details"])
    for name, value in changes.items():
        if name == "config":
            details["config"] |= value
        elif name in ("kind", "format"):
            text[name] = value
        else:
            details[name] = value
    write_arrays(path, arrays, {**text, "details": json.dumps(details)})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": "lifter"}, "expected a classifier"),
        ({"classes": []}, "expected a list of classes"),
        ({"classes": ["a"] * 5}, "expected head.bias of shape"),
        ({"config": {"width": 10**6}}, "expected 1 to 65536"),
        ({"config": {"width": 4096}}, "expected .* of shape"),
        ({"config": {"t_net": "yes"}}, "expected t_net of"),
        ({"config": {"wings": 2}}, "found 'wings'"),
        ({"config": {"encoder": {"gaussians": 1.5}}}, "expected gaussians of"),
        ({"temperature": 0}, "expected temperature from"),
        ({"temperature": float("nan")}, "expected temperature from"),
        ({"preparation": {"up": "y"}}, "expected clouds prepared by"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path, changes, says) -> None:
    save_classifier(tmp_path / "a", SavedClassifier(model("3dgpe"), NAMES))
    spoilt(tmp_path / "a", **changes)
    with pytest.raises(UserError, match=says):
        load_classifier(tmp_path / "a")


@pytest.mark.parametrize(
    ("white", "means"),
    [
        ((), (2,)),
        ((256, 256), (4, 256)),
        ((256, 256), (256,)),
        ((9, 9), (3, 9)),
        ((256, 256), None),
    ],
)
def test_familiarity_of_another_model_is_refused(tmp_path, white, means) -> None:
    from data.array_files import read_arrays, write_arrays

    save_classifier(tmp_path / "a", SavedClassifier(model("3dgpe"), NAMES))
    arrays, text = read_arrays(tmp_path / "a", MODEL_FORMAT)
    arrays["familiar.whitening"] = np.ones(white, "f4")
    if means is not None:
        arrays["familiar.means"] = np.ones(means, "f4")
    details = json.loads(text["details"]) | {"familiar_to": 1.0}
    write_arrays(
        tmp_path / "a", arrays, {**text, "format": MODEL_FORMAT, "details": json.dumps(details)}
    )
    with pytest.raises(UserError, match="what its head reads"):
        load_classifier(tmp_path / "a")


def test_full_sizes_are_the_papers() -> None:
    """Numbers of parameters, without memory for them."""
    with torch.device("meta"):
        count = {
            name: sum(p.numel() for p in new_model(config, 40, 0).parameters())
            for name, config in {
                "pointnet": PointNetConfig(t_net=False),
                "3dgpe": GaussianNetConfig(t_net=False),
                "mamba3d": MambaConfig(),
                "small": MambaConfig.small(),
            }.items()
        }
    head = 1024 * 512 + 512 * 256 + 256 * 40 + (512 + 256) * 3 + 40
    assert count["pointnet"] == 3 * 64 + 64 * 128 + 128 * 1024 + (64 + 128 + 1024) * 3 + head
    assert count["3dgpe"] == 9 * 32 + 33 * 1024 + head
    assert 15e6 < count["mamba3d"] < 18e6  # 16.9 M as published
    assert count["small"] < 2.8e6


def test_points_given_twice_count_once() -> None:
    for name in ("pointnet with T-Net", "3dgpe with T-Net"):
        network = model(name)
        (xyz,) = network.prepare(made_clouds(("box",), 1).clouds)
        with torch.no_grad():
            twice = network(torch.cat([xyz, xyz[:, :40]], 1))
            torch.testing.assert_close(twice, network(xyz), atol=1e-5, rtol=1e-5)


def test_the_t_net_is_the_identity_at_the_start() -> None:
    with_, without = (
        new_model(replace(SMALL["3dgpe"], t_net=t_net), 3, seed=1) for t_net in (True, False)
    )
    (xyz,) = with_.prepare(made_clouds(("box",), 2).clouds)
    torch.testing.assert_close(with_.turned(xyz), without.turned(xyz))
