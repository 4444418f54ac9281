"""What advisers say is what is learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from data.errors import UserError
from pointcloud.advice import Advisers, advice, load_advisers, targets, versions_of
from pointcloud.batches import batch_of_step
from pointcloud.classifier_files import SavedClassifier, save_classifier
from pointcloud.config import FitConfig
from pointcloud.fitting import classifying, fit, initial_state
from tests.pointcloud.small_models import SMALL, moved
from tests.pointcloud.solids import made_clouds

DATA = made_clouds(("ball", "box", "rod"), 6, 200)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("advisers")
    found = {}
    for kind in ("3dgpe with T-Net", "mamba3d", "transformer"):
        found[kind] = folder / f"{kind}.safetensors"
        saved = SavedClassifier(moved(SMALL[kind]), DATA.classes, {}, 0.5, None)
        save_classifier(found[kind], saved)
    return found


def test_advice_is_the_mean_of_probabilities_at_a_temperature_of_one(files) -> None:
    said = load_advisers([str(path) for path in files.values()], DATA.classes)(DATA.clouds)
    expected = []
    with torch.no_grad():
        for kind in files:
            model = moved(SMALL[kind])
            expected.append(model(*model.prepare(DATA.clouds)).softmax(-1).numpy())
    np.testing.assert_allclose(said, np.mean(expected, 0), atol=2e-5)
    assert said.dtype == np.float32


def test_advice_of_a_cloud_is_a_mean_over_changed_versions_of_it(files) -> None:
    advisers = load_advisers([str(files["mamba3d"])], DATA.classes)
    counts: list[int] = []
    config = FitConfig(steps=1, scale=1.0, shift=0.3)
    said = advice(advisers, DATA, config, counts.append)
    # with nothing but moves, which advisers do not see, all versions are the cloud itself
    np.testing.assert_allclose(said, advisers(DATA.clouds), atol=2e-6)
    assert sum(counts) == versions_of(DATA)
    config = FitConfig(steps=1, scale=1.5, drop=0.5, seed=3)
    changed = [advice(advisers, DATA, config, counts.append) for _ in range(2)]
    np.testing.assert_array_equal(changed[0], changed[1])
    np.testing.assert_allclose(changed[0].sum(1), 1.0, rtol=1e-5)
    assert np.abs(changed[0] - said).max() > 1e-3
    assert advice(advisers, DATA, config, lambda _: False) is None


def test_the_loss_is_the_cross_entropy_to_labels_and_advice_in_their_shares() -> None:
    model, generator = moved(SMALL["pointnet"]), np.random.default_rng(0)
    said = generator.dirichlet(np.ones(3), len(DATA)).astype(np.float32)
    losses = {}
    for share in (0.0, 0.25, 1.0):
        config = FitConfig(steps=1, batch=9, drop=0.5, smoothing=0.2, advice=share)
        state = initial_state(model, config)
        losses[share] = float(classifying(state, DATA, config, said)(1)[0].detach())
    batch = batch_of_step(DATA, config, 1)
    with torch.no_grad():
        scores = model(*model.prepare(batch.clouds, batch.starts, batch.shifts))
    alone = functional.cross_entropy(scores, torch.from_numpy(batch.labels), label_smoothing=0.2)
    assert losses[0.0] == pytest.approx(float(alone), rel=1e-5)
    taught = -(torch.from_numpy(said[batch.rows]) * scores.log_softmax(-1)).sum(-1).mean()
    assert losses[1.0] == pytest.approx(float(taught), rel=1e-5)
    assert losses[0.25] == pytest.approx(0.75 * losses[0.0] + 0.25 * losses[1.0], rel=1e-5)


def test_targets_are_probabilities() -> None:
    said = torch.tensor([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]])
    wanted = targets(torch.tensor([2, 1]), said, 0.5, 0.3)
    # a label of weight 0.7 with 0.1 for every class, and what was said: half of each
    expected = [[0.4, 0.15, 0.45], [0.05, 0.65, 0.3]]
    np.testing.assert_allclose(wanted.numpy(), expected, rtol=1e-6)


def test_a_student_comes_to_say_what_its_adviser_says(files) -> None:
    """Whatever the labels are, at a share of one."""
    config = FitConfig(steps=40, batch=18, rate=1e-2, advice=1.0, weight_decay=0.0)
    advisers = load_advisers([str(files["transformer"])], DATA.classes)
    said = advice(advisers, DATA, config, lambda _: True)
    state = initial_state(moved(SMALL["3dgpe"]), config)
    losses = []
    fit(state, DATA, config, lambda _, values: losses.append(values["loss"]), advice=said)
    least = float(-(said * np.log(said)).sum(-1).mean())
    assert np.mean(losses[-5:]) - least < 0.5 * (losses[0] - least)


def test_advisers_of_other_classes_are_refused(files) -> None:
    with pytest.raises(UserError, match="expected a classifier of the data's 2 classes"):
        load_advisers([str(files["mamba3d"])], ("ball", "box"))


def test_an_adviser_alone_is_itself(files) -> None:
    one = load_advisers([str(files["mamba3d"])], DATA.classes)
    twice = Advisers([*one.predictors, *one.predictors])
    np.testing.assert_allclose(one(DATA.clouds), twice(DATA.clouds), rtol=1e-6)
