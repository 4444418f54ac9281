from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from backbones.config import BackboneConfig
from backbones.training_state import load_training, save_training
from data.errors import UserError
from lifting.batches import batch_of_step, examples_of_step
from lifting.clips import RigClips
from lifting.config import LifterConfig, LiftFitConfig
from lifting.fitting import FitState, fit, initial_state
from lifting.losses import loss
from lifting.model import new_lifter
from lifting.motions import random_motion
from lifting.muon import orthogonal
from lifting.random_rigs import random_rig

SMALL = LifterConfig(BackboneConfig(width=16, depth=2, heads=2, head_dim=8), fourier=4)
CONFIG = LiftFitConfig(steps=6, minutes=None, tokens=300, frames=4)


def rigs() -> list[RigClips]:
    rng = np.random.default_rng(0)
    rig = random_rig(rng, "bird")
    clips = tuple(random_motion(rig, rng, frames=n) for n in (30, 3, 60))
    return [RigClips("bird", rig.skeleton, clips, "CC0")]


def trained(config: LiftFitConfig, steps: int, state: FitState | None = None) -> FitState:
    state = state or initial_state(new_lifter(SMALL, 0), config)
    fit(state, rigs(), config, lambda step, values: step < steps)
    return state


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_training_that_is_cut_goes_on_as_if_it_had_not_been(optimiser, tmp_path) -> None:
    config = replace(CONFIG, optimiser=optimiser)
    whole = trained(config, 6)
    half = trained(config, 3)
    save_training(tmp_path / "s.safetensors", half, config, {"data": "x"})
    again = initial_state(new_lifter(SMALL, 5), config)
    load_training(tmp_path / "s.safetensors", again, replace(config, steps=6), {"data": "x"})
    assert again.step == 3
    trained(config, 6, again)
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[name], value)
        torch.testing.assert_close(again.average[name], whole.average[name])


def test_a_state_of_another_training_is_refused(tmp_path) -> None:
    state = trained(CONFIG, 1)
    path = tmp_path / "s.safetensors"
    save_training(path, state, CONFIG, {"data": "x"})
    with pytest.raises(UserError, match="data y"):
        load_training(path, state, CONFIG, {"data": "y"})
    with pytest.raises(UserError, match="seed 1"):
        load_training(path, state, replace(CONFIG, seed=1), {"data": "x"})
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UserError, match="safetensors"):
        load_training(path, state, CONFIG, {"data": "x"})


@pytest.mark.parametrize("changed", [{"stretch": -0.1}, {"angle": float("nan")}, {"bend": 1.5}])
def test_a_training_that_cannot_be_is_refused_by_name(changed) -> None:
    (name,) = changed
    with pytest.raises(ValueError, match=f"{name}: expected 0 to"):
        LiftFitConfig(**changed)


def test_reports_and_saves_come_as_asked_for() -> None:
    seen, saved = [], []
    state = initial_state(new_lifter(SMALL, 0), CONFIG)
    ticks = iter(range(1000))
    fit(
        state,
        [],
        CONFIG,
        lambda step, values: seen.append((step, values)),
        lambda now: saved.append(now.step),
        save_every_s=2.0,
        clock=lambda: float(next(ticks)),
    )
    assert [step for step, _ in seen] == [1, 2, 3, 4, 5, 6] and seen[-1][1]["progress"] == 1.0
    assert saved == [2, 4, 6]
    assert all(np.isfinite(list(values["parts"].values())).all() for _, values in seen)
    moved = [
        not torch.equal(value, state.average[name].to(value.dtype))
        for name, value in state.model.state_dict().items()
        if "phases" not in name and "frequencies" not in name
    ]
    assert sum(moved) > len(moved) / 2


def test_some_steps_have_clips_of_fewer_frames_down_to_a_single_one() -> None:
    config = LiftFitConfig(steps=6, tokens=200, frames=4, short=1.0)
    batches = [batch_of_step(rigs(), config, step) for step in range(1, 13)]
    assert {inputs.place.shape[1] for inputs, _ in batches} == {1, 2, 3}
    for inputs, truth in batches:
        total, _ = loss(new_lifter(SMALL, 0)(inputs), truth, config)
        assert torch.isfinite(total)
    whole = [batch_of_step(rigs(), replace(config, short=0.0), step)[0] for step in (1, 2)]
    assert [inputs.place.shape[1] for inputs in whole] == [4, 4]
    alone = replace(config, short=0.0, single=1.0)
    assert {batch_of_step(rigs(), alone, step)[0].place.shape[1] for step in (1, 2, 3)} == {1}


def test_an_animal_is_seen_from_as_many_sides_as_asked_for() -> None:
    config = LiftFitConfig(steps=6, tokens=2000, frames=4, short=0.0, generated=0.0, inferred=0)
    for views in (1, 3):
        found = examples_of_step(rigs(), replace(config, views=views), 1)
        graphs = [example.prepared.near.tobytes() for example in found]
        apart = [a for a, b in pairwise(graphs) if a != b]
        assert len(found) // views - 2 <= len(apart) <= len(found) // views
        assert len({example.xy.tobytes() for example in found}) == len(found)


def test_edges_may_be_found_from_the_tracks_of_a_clip() -> None:
    """A tree over all joints, often another than that of the bones."""
    config = replace(CONFIG, frames=8, generated=0.0, short=0.0, inferred=1.0)
    found = [e.prepared.near for e in examples_of_step(rigs(), config, 1)]
    given = [e.prepared.near for e in examples_of_step(rigs(), replace(config, inferred=0.0), 1)]
    assert all(near.sum() == 3 * len(near) - 2 for near in found)  # both ways, and each itself
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(found, given, strict=True))


def test_clips_from_workers_are_the_same_clips() -> None:
    one, two = (initial_state(new_lifter(SMALL, 0), CONFIG) for _ in range(2))
    fit(one, rigs(), CONFIG, lambda step, values: step < 2)
    fit(two, rigs(), CONFIG, lambda step, values: step < 2, workers=1)
    for name, value in one.model.state_dict().items():
        torch.testing.assert_close(two.model.state_dict()[name], value)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_orthogonal_brings_singular_values_near_one(kind) -> None:
    torch.manual_seed(0)
    for shape in ((20, 50), (50, 20), (30, 30)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape).to(kind)).float())
        assert values.median() > 0.6 and values.max() < 1.3
