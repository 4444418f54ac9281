"""A training in a file: what is drawn, what optimisers remember, what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from backbones.saved import read_tensors, write_tensors
from backbones.training_state import (
    FORMAT,
    TrainingState,
    load_training,
    read_about,
    save_training,
    seeded,
)
from data.errors import UserError

ABOUT = {"data": "noise"}


@dataclass(frozen=True)
class Config:
    steps: int | None = 6
    minutes: float | None = None
    rate: float = 0.1


def started(rate: float = 0.1) -> TrainingState:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.5), nn.Linear(5, 1))
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    return TrainingState(model, (optimiser,), seeded(7), average=average)


def train(state: TrainingState, last: int, skip: tuple[int, ...] = ()) -> TrainingState:
    """Up to step `last`; those of `skip` do not move anything."""
    while state.step < last:
        state.step += 1
        with state.own_chance():
            loss = state.model(torch.full((8, 4), float(state.step))).square().mean()
        (optimiser,) = state.optimisers
        optimiser.zero_grad()
        loss.backward()
        if state.step not in skip:
            optimiser.step()
    return state


@pytest.mark.parametrize("skip", [(), (2, 3)])
def test_dropout_and_skipped_steps_go_on_bit_for_bit(skip: tuple[int, ...], tmp_path: Path) -> None:
    whole = train(started(), 6, skip)
    save_training(tmp_path / "s", train(started(), 4, skip), Config(), ABOUT)
    again = started()
    torch.manual_seed(99)  # what others draw makes no difference
    load_training(tmp_path / "s", again, Config(), ABOUT)
    assert again.step == 4 and read_about(tmp_path / "s") == ABOUT
    train(again, 6, skip)
    for one, other in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_what_others_draw_goes_on_as_if_nothing_was_drawn_here() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    train(started_quietly(), 2)
    assert torch.equal(torch.rand(3), expected)


def started_quietly() -> TrainingState:
    with torch.random.fork_rng(devices=[]):
        return started()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"exp_avg.0.weight": None}, "expected step, exp_avg, exp_avg_sq of 0.weight"),
        ({"exp_avg.0.weight": torch.zeros(2)}, "of shape"),
        ({"exp_avg.0.weight": torch.zeros(5, 4, dtype=torch.int64)}, "other shapes"),
        ({"model.0.weight": None}, "expected 0.weight of shape"),
        ({"average.0.weight": torch.zeros(2)}, "expected a mean of 4 weights"),
        ({"chance": None}, "expected the state of a generator"),
        ({"chance": torch.zeros(5056, dtype=torch.uint8)}, "expected the state of a generator"),
    ],
)
def test_a_spoilt_state_is_refused(change: dict, says: str, tmp_path: Path) -> None:
    save_training(tmp_path / "s", train(started(), 2), Config(), ABOUT)
    tensors, text = read_tensors(tmp_path / "s", FORMAT)
    tensors = {name: value for name, value in {**tensors, **change}.items() if value is not None}
    write_tensors(tmp_path / "s", tensors, text)
    with pytest.raises(UserError, match=says):
        load_training(tmp_path / "s", started(), Config(), ABOUT)


def test_another_length_is_welcome_and_another_training_is_not(tmp_path: Path) -> None:
    save_training(tmp_path / "s", started(), Config(), ABOUT)
    load_training(tmp_path / "s", started(), Config(steps=None, minutes=5.0), ABOUT)
    with pytest.raises(UserError, match=r"expected a training with rate 0\.2, found one with 0\.1"):
        load_training(tmp_path / "s", started(), Config(rate=0.2), ABOUT)
    with pytest.raises(UserError, match="expected a training with data other"):
        load_training(tmp_path / "s", started(), Config(), {"data": "other"})


def test_an_option_newer_than_the_file_had_its_default(tmp_path: Path) -> None:
    save_training(tmp_path / "s", started(), Config(), ABOUT)
    tensors, text = read_tensors(tmp_path / "s", FORMAT)
    config = json.loads(text["config"])
    del config["rate"]
    write_tensors(tmp_path / "s", tensors, {**text, "config": json.dumps(config)})
    load_training(tmp_path / "s", started(), Config(), ABOUT)
    with pytest.raises(UserError, match=r"expected a training with rate 0\.2, found one with 0\.1"):
        load_training(tmp_path / "s", started(), Config(rate=0.2), ABOUT)
