"""The mean over the last steps: by hand, as the result of a training, and through a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import data
from splatting.averaging import EVERY, Average
from splatting.config import TrainConfig
from splatting.splats import Splats
from splatting.training import train
from splatting.training_state import initial_state, pack, unpack

CONFIG = TrainConfig(steps=60, sh_degree=0, average_from=0.5)


@pytest.fixture(scope="module")
def room() -> data.Scene:
    return data.load_scene(Path(data.__file__).parent / "samples" / "synth_room", 4)


def test_it_is_the_mean(room: data.Scene) -> None:
    splats = initial_state(room, CONFIG).splats
    average = Average.of(splats)
    for k in (1, 2, 3):
        average.add(replace(splats, means=splats.means + np.float32(k)))
    found = average.of_splats(splats)
    np.testing.assert_allclose(found.means, splats.means + 1.5, atol=1e-5)
    np.testing.assert_array_equal(found.sh0, splats.sh0)


def test_a_training_ends_in_the_mean_of_its_last_part(room: data.Scene) -> None:
    seen: list[Splats] = []

    def report(step: int, values: dict) -> None:
        if values["progress"] > 0.5 and (not seen or step % EVERY == 0):
            live: Splats = values["live"]
            seen.append(live.take(np.arange(len(live))))

    end = train(room, replace(CONFIG, refine_until=0.4), report).splats
    expected = np.mean([splats.means for splats in seen], axis=0)
    np.testing.assert_allclose(end.means, expected, atol=1e-6)
    assert np.abs(end.means - seen[-1].means).max() > 1e-5


def test_resumed_in_its_midst_it_is_the_same_bit_for_bit(room: data.Scene) -> None:
    straight = train(room, CONFIG).splats
    state = initial_state(room, CONFIG)
    train(room, CONFIG, lambda step, values: step < 47, state)
    assert state.average is not None
    again = train(room, CONFIG, state=unpack(*pack(state))).splats
    for name, array in straight.arrays().items():
        np.testing.assert_array_equal(array, again.arrays()[name])


def test_more_steps_begin_a_new_mean(room: data.Scene) -> None:
    state = initial_state(room, CONFIG)
    train(room, CONFIG, state=state)
    assert state.average is None
    train(room, replace(CONFIG, steps=200), lambda step, values: step < 70, state)
    assert state.average is None


def test_one_turns_it_off(room: data.Scene) -> None:
    last: list[np.ndarray] = []
    config = replace(CONFIG, average_from=1.0)
    end = train(room, config, lambda step, values: last.append(values["live"].means.copy()))
    np.testing.assert_array_equal(end.splats.means, last[-1])
