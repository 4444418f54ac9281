"""Training: every step follows from the seed, and a stopped training ends as if it had not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backbones.config import BackboneConfig
from backbones.training_state import load_training, save_training
from data.errors import UserError
from pointcloud.batches import batch_of_step, rows_of_step
from pointcloud.classifier_files import new_model
from pointcloud.config import (
    FitConfig,
    GaussianNetConfig,
    MambaConfig,
    PointNetConfig,
    TransformerConfig,
    fewer_centres,
)
from pointcloud.fitting import classifying, fit, initial_state, rate_factor
from pointcloud.prediction import accuracy
from tests.pointcloud.solids import made_clouds

SMALL = TransformerConfig(128, 12, 6, BackboneConfig(width=24, depth=2, heads=3, head_dim=8))
DATA = made_clouds(("ball", "box", "rod"), 12)


def started(config: FitConfig):
    return initial_state(new_model(SMALL, 3, seed=1), config)


def test_an_epoch_sees_every_row_once_and_the_next_in_another_order() -> None:
    epochs = [
        [rows_of_step(12, 4, step, 5) for step in (first, first + 1, first + 2)] for first in (1, 4)
    ]
    for epoch in epochs:
        assert sorted(np.concatenate(epoch).tolist()) == list(range(12))
    assert [a.tolist() for a in epochs[0]] != [a.tolist() for a in epochs[1]]
    assert sorted(rows_of_step(3, 32, 7, 0).tolist()) == [0, 1, 2]


def test_a_batch_follows_from_seed_and_step() -> None:
    config = FitConfig(steps=9, batch=6)
    one, two, next_one = (batch_of_step(DATA, config, step) for step in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(one.clouds, two.clouds, strict=True))
    assert np.array_equal(one.shifts, two.shifts) and not np.array_equal(
        one.shifts, next_one.shifts
    )
    rows = rows_of_step(len(DATA), 6, 3, 0)
    stretch = one.clouds[0] / DATA.clouds[rows[0]]
    np.testing.assert_allclose(stretch, np.broadcast_to(stretch[0], stretch.shape), rtol=1e-4)
    assert (stretch[0] > 1 / 1.51).all() and (stretch[0] < 1.51).all()


def test_it_learns_and_reports() -> None:
    config = FitConfig(steps=50, batch=12, rate=5e-3)
    train, held = DATA.split()
    state, reports = started(config), []
    fit(state, train, config, lambda step, values: reports.append((step, values)))
    assert [step for step, _ in reports] == list(range(1, 51))
    assert reports[-1][1]["progress"] == 1.0
    found = accuracy(state.model, held)
    assert found.overall >= 0.8 and set(found.by_class) == {"ball", "box", "rod"}
    assert found.mean_class == pytest.approx(found.overall)


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        PointNetConfig(points=128, widths=(16, 32, 64)),
        MambaConfig(128, 12, 6, width=32, depth=1, drop_path=0.0, dropout=0.0),
        MambaConfig(128, 12, 6, width=32, depth=1, drop_path=0.0, dropout=0.0, encoder="gaussian"),
    ],
)
def test_products_in_bfloat16_lead_where_those_in_float32_do(config) -> None:
    gradients = []
    for bf16 in (False, True):
        model = new_model(config, 3, seed=1)
        fit_config = FitConfig(steps=9, batch=12, bf16=bf16)
        state = initial_state(model, fit_config)
        state.begin()
        with state.own_chance():
            loss, _ = classifying(state, DATA, fit_config)(1)
        assert loss.dtype == torch.float32
        loss.backward()
        found = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        gradients.append(torch.cat([g.flatten() for g in found.values()]))
    one, two = gradients
    assert not torch.equal(one, two)
    # maxima that are nearly equal change places
    assert torch.nn.functional.cosine_similarity(one, two, 0) > 0.95


def test_gaussians_of_single_points_are_not_multiplied_in_bfloat16() -> None:
    state = initial_state(new_model(GaussianNetConfig(), 3, seed=1), FitConfig(steps=1, bf16=True))
    with pytest.raises(ValueError, match="bf16: expected False"):
        classifying(state, DATA, FitConfig(steps=1, bf16=True))


def test_the_coarse_part_sees_the_first_half_of_the_groups_then_all() -> None:
    config = FitConfig(steps=6, batch=6, coarse_until=0.5)
    state, seen = started(config), []
    state.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    fit(state, DATA, config)
    half = fewer_centres(SMALL)
    assert half == SMALL.centres // 2
    assert seen == [half] * 2 + [SMALL.centres] * 4
    whole, few = (state.model.prepare(DATA.clouds[:2], centres=n)[0] for n in (None, half))
    for all_of, some_of in zip(whole.tolist(), few.tolist(), strict=True):
        assert all(centre in all_of for centre in some_of)


def test_a_coarse_part_needs_groups_whose_number_may_change() -> None:
    fixed = BackboneConfig(impulse="line", tokens=12)
    for model in (PointNetConfig(), TransformerConfig(centres=12, backbone=fixed)):
        with pytest.raises(ValueError, match="coarse_until: expected 0"):
            fewer_centres(model)
    assert fewer_centres(MambaConfig(centres=6, around=4)) == 4


def test_stopped_and_resumed_is_bit_for_bit_the_same(tmp_path) -> None:
    config = FitConfig(steps=8, batch=6)
    whole = started(config)
    fit(whole, DATA, config)
    cut = started(config)
    fit(cut, DATA, config, lambda step, _: step < 5)
    assert cut.step == 5
    save_training(tmp_path / "s", cut, config, {"data": "solids"})
    resumed = started(config)
    load_training(tmp_path / "s", resumed, config, {"data": "solids"})
    fit(resumed, DATA, config)
    assert resumed.step == 8
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_the_state_is_saved_at_times_of_training() -> None:
    config, seen = FitConfig(minutes=1.0, batch=3), []
    ticks = iter(range(0, 10_000, 10))
    state = started(config)
    fit(state, DATA, config, None, lambda s: seen.append(s.seconds), 25.0, lambda: next(ticks))
    assert seen == [30.0, 60.0] and state.progress(config) == 1.0


def test_a_state_of_another_training_is_refused(tmp_path) -> None:
    config = FitConfig(steps=4, batch=6)
    save_training(tmp_path / "s", started(config), config, {"data": "solids"})
    longer = FitConfig(steps=9, batch=6)
    load_training(tmp_path / "s", started(longer), longer, {"data": "solids"})
    other = FitConfig(steps=4, batch=7)
    with pytest.raises(UserError, match="expected a training with batch 7, found one with 6"):
        load_training(tmp_path / "s", started(other), other, {"data": "solids"})
    with pytest.raises(UserError, match="expected a training with data cubes"):
        load_training(tmp_path / "s", started(config), config, {"data": "cubes"})
    (tmp_path / "s").write_bytes(b"nothing")
    with pytest.raises(UserError, match="expected a safetensors file"):
        load_training(tmp_path / "s", started(config), config, {"data": "solids"})


def test_the_rate_rises_in_a_line_and_falls_as_a_cosine() -> None:
    assert rate_factor(0.025) == pytest.approx(0.5)
    assert rate_factor(0.05 + 0.95 / 2) == pytest.approx(0.5)
    assert rate_factor(1.0) == pytest.approx(0.0)
    with pytest.raises(ValueError, match="steps or minutes"):
        FitConfig()


def test_a_batch_has_one_of_few_numbers_of_points() -> None:
    """Products in bfloat16 are compiled anew for each."""
    data = made_clouds(("ball", "rod"), 4, 1024)
    config = FitConfig(steps=1, batch=2, drop=0.5)
    sizes = set()
    for step in range(1, 60):
        (size,) = {len(cloud) for cloud in batch_of_step(data, config, step).clouds}
        sizes.add(size)
    assert sizes <= {1024 - 32 * k for k in range(17)} and {512, 1024} <= sizes
