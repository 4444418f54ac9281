"""Training on the bundled room: it learns, repeats itself bit for bit, stops when told and
resumes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import data
from data.errors import UserError
from splatting import densification
from splatting.config import TrainConfig
from splatting.splats import PARAMETERS, Splats
from splatting.training import train
from splatting.training_state import TrainingState, initial_state, pack, unpack

ROOM = Path(data.__file__).parent / "samples" / "synth_room"

SHORT = TrainConfig(steps=60, refine_every=20, refine_from=0.0, pull_threshold=0.0, sh_degree=1)


@pytest.fixture(scope="module")
def room() -> data.Scene:
    return data.load_scene(ROOM, data_factor=2)


def moved(view: data.View) -> data.View:
    """The view from a millimetre beside."""
    pose = view.camera.cam_from_world.copy()
    pose[0, 3] += 1e-3
    return replace(view, camera=replace(view.camera, cam_from_world=pose))


def same(a: Splats, b: Splats) -> bool:
    return all(np.array_equal(x, b.arrays()[name]) for name, x in a.arrays().items())


def test_loss_falls_and_splats_grow(room: data.Scene) -> None:
    losses: list[float] = []
    counts: list[int] = []

    def report(step: int, values: dict) -> None:
        losses.append(values["loss"])
        counts.append(values["splats"])

    result = train(room, SHORT, report)
    assert result.steps == 60
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:5])
    assert counts[-1] > counts[0]
    assert result.seconds > 0


def test_harmonics_move_every_so_many_steps(room: data.Scene) -> None:
    config = TrainConfig(steps=12, sh_degree=1, sh_from=(0.0, 0.0, 0.0), shN_every=4)
    seen: list[np.ndarray] = []
    train(room, config, lambda step, values: seen.append(values["live"].shN.copy()))
    moved_at = [step for step in range(2, 13) if not np.array_equal(seen[step - 1], seen[step - 2])]
    assert moved_at == [4, 8, 12] and not seen[0].any()


def test_mcmc_learns_grows_to_its_cap_and_resumes(room: data.Scene) -> None:
    # nobody rests: the loss that is watched here should be that of the whole picture
    changed = {"strategy": "mcmc", "max_splats": 6500, "sh_degree": 0, "drop": 0.0}
    config = TrainConfig(**{**vars(SHORT), **changed})
    losses: list[float] = []
    straight = train(room, config, lambda step, values: losses.append(values["loss"]))
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:5])
    assert len(straight.splats) == 6500
    state = initial_state(room, config)
    train(room, config, lambda step, values: step < 33, state)
    assert same(train(room, config, state=unpack(*pack(state))).splats, straight.splats)


def test_same_seed_gives_the_same_bits_on_one_and_two_threads(room: data.Scene) -> None:
    one = train(room, TrainConfig(**{**vars(SHORT), "threads": 1}))
    two = train(room, TrainConfig(**{**vars(SHORT), "threads": 2}))
    assert same(one.splats, two.splats)


def test_resume_from_a_packed_state_continues_bit_for_bit(room: data.Scene) -> None:
    straight = train(room, SHORT)
    state: TrainingState = initial_state(room, SHORT)
    train(room, SHORT, lambda step, values: step < 25, state)
    assert state.step == 25
    restored = unpack(*pack(state))
    resumed = train(room, SHORT, state=restored)
    assert resumed.steps == 60
    assert same(straight.splats, resumed.splats)


def test_the_cap_on_splats_holds(room: data.Scene) -> None:
    start = len(room.points.xyz)
    config = TrainConfig(**{**vars(SHORT), "max_splats": start + 7})
    assert len(train(room, config).splats) <= start + 7


def test_a_dense_cloud_starts_within_the_cap(room: data.Scene) -> None:
    """Twenty million points must not become twenty million splats."""
    config = TrainConfig(max_splats=500, sh_degree=0)
    state, again = initial_state(room, config), initial_state(room, config)
    assert len(state.splats) == 500
    np.testing.assert_array_equal(state.splats.means, again.splats.means)


def test_photos_that_see_no_splat_are_no_harm(room: data.Scene) -> None:
    """A crop, or splats from elsewhere: steps without a gradient leave everything where it is."""
    state = initial_state(room, SHORT)
    state.splats.means[:] += 1e4
    before = state.splats.means.copy()
    assert np.array_equal(train(room, SHORT, state=state).splats.means, before)


@pytest.mark.parametrize("strategy", ["adaptive", "mcmc"])
def test_splats_that_all_fade_are_one_line(room: data.Scene, strategy: str) -> None:
    config = replace(SHORT, strategy=strategy)
    state = initial_state(room, config)
    state.splats.logit_opacities[:] = -20
    with pytest.raises(UserError, match="step 20: expected splats that show something"):
        train(room, config, state=state)


def test_a_state_of_other_photos_is_refused(room: data.Scene) -> None:
    config = TrainConfig(steps=2, sh_degree=0)
    state = unpack(*pack(initial_state(room, config)))
    with pytest.raises(UserError, match=r"expected the 10 training .*, found 10 whose names"):
        train(replace(room, views=(*room.views[:-1], moved(room.views[-1]))), config, state=state)
    with pytest.raises(UserError, match=r"expected the 10 training .*, found 9"):
        train(replace(room, views=room.train[1:]), config, state=state)
    assert train(room, config, state=state).steps == 2


def test_state_without_a_part_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="expected a training state"):
        unpack({}, {})


def test_steps_and_minutes_together_are_refused(room: data.Scene) -> None:
    with pytest.raises(UserError, match="found both"):
        train(room, TrainConfig(steps=5, minutes=1.0))


def test_a_training_by_minutes_ends_when_the_photos_are_known(
    room: data.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("splatting.training_state.LEAST_STEPS", 30)
    seen: list[float] = []
    config = TrainConfig(minutes=60.0, passes=4.0, sh_degree=0)
    result = train(room, config, lambda _, values: seen.append(values["progress"]))
    assert result.finished and result.steps == 40 == 4 * len(room.train)
    np.testing.assert_allclose(seen, np.arange(1, 41) / 40)  # schedules run on it
    assert train(room, replace(config, passes=1.0)).steps == 30, "the least"
    assert train(room, replace(config, passes=0.0, minutes=1e-4)).steps < 30, "by time alone"
    stopped = train(room, config, lambda step, _: step < 5)
    assert not stopped.finished and stopped.steps == 5


def test_moments_follow_the_splats_through_density_control(room: data.Scene) -> None:
    state = initial_state(room, SHORT)
    train(room, SHORT, state=state)
    assert set(state.moments) == {*PARAMETERS} - {"shN"}
    for name, (first, second) in state.moments.items():
        array = getattr(state.splats, name)
        assert first.shape == second.shape == array.shape
    assert len(state.statistics.pull) == len(state.splats)
    assert isinstance(state.statistics, densification.ScreenStatistics)
