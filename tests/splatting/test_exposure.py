"""Exposure maps: their gradient by differences, what they undo, and that they travel with the
state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

import data
from data.scene import View
from simd.threads import set_threads
from splatting import metrics
from splatting.config import TrainConfig
from splatting.exposure import Exposure
from splatting.training import train
from splatting.training_state import initial_state, pack, unpack

ROOM = Path(data.__file__).parent / "samples" / "synth_room"


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((37, 23, 3)).astype(np.float32)


def test_gradients_match_differences() -> None:
    """L = sum(w * (A rgb + b)): dL/d(rgb) = A^T w, and Adam's first step is the sign of dL/dA."""
    rgb, weight = picture(0), picture(1) - 0.5
    exposure = Exposure.identity(2)
    exposure.maps[1] += np.random.default_rng(2).normal(0, 0.1, (3, 4)).astype(np.float32)
    before = exposure.maps[1].copy()
    out, d = np.empty_like(rgb), weight.copy()
    exposure.apply(1, rgb, out)
    np.testing.assert_allclose(out, rgb @ before[:, :3].T + before[:, 3], atol=1e-5)
    exposure.step(1, rgb, d, rate=1e-3, weight=0.0)
    np.testing.assert_allclose(d, weight @ before[:, :3], atol=1e-5)
    known = np.concatenate([rgb, np.ones((37, 23, 1))], axis=2)
    slope = np.einsum("yxc,yxk->ck", weight, known)
    np.testing.assert_allclose(exposure.maps[1] - before, -1e-3 * np.sign(slope), atol=1e-6)
    np.testing.assert_array_equal(exposure.maps[0], np.eye(3, 4))
    assert exposure.uses.tolist() == [0, 1]


def test_the_pull_towards_the_identity() -> None:
    exposure = Exposure.identity(1)
    exposure.maps[0, 1, 2] = 0.5
    exposure.step(0, picture(3), np.zeros((37, 23, 3), np.float32), rate=1e-2, weight=0.1)
    assert exposure.maps[0, 1, 2] == pytest.approx(0.49)


def test_one_and_two_threads_agree_bit_for_bit() -> None:
    found = []
    for threads in (1, 2):
        set_threads(threads)
        exposure, d = Exposure.identity(1), picture(5)
        exposure.step(0, picture(4), d, 1e-3, 0.01)
        found.append((exposure.maps.copy(), exposure.second.copy(), d))
    set_threads(None)
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


@dataclass(frozen=True, eq=False)
class Darker(View):
    """A photo taken with less light."""

    share: float = 1.0

    def image(self) -> np.ndarray:
        return super().image() * np.float32(self.share)


@pytest.fixture(scope="module")
def uneven() -> data.Scene:
    """The bundled room, every other training photo a third darker."""
    room = data.load_scene(ROOM, data_factor=2)
    seen = [view.name for view in room.train]
    views = [
        Darker(**vars(v), share=2 / 3 if v.name in seen and seen.index(v.name) % 2 else 1.0)
        for v in room.views
    ]
    return replace(room, views=tuple(views))


def test_it_forgives_what_was_done_to_the_photos(uneven: data.Scene) -> None:
    config = TrainConfig(
        steps=250, exposure_rate=1e-2, exposure_weight=1e-4, sh_degree=0, drop=0.0
    )  # splats that rest would add their share to both losses
    losses = []
    for exposure in (False, True):
        seen: list[float] = []
        train(
            uneven,
            replace(config, exposure=exposure),
            lambda step, values, seen=seen: seen.append(values["loss"]),
        )
        losses.append(np.mean(seen[-30:]))
    assert losses[1] < 0.7 * losses[0]


def test_a_resumed_training_keeps_its_maps(uneven: data.Scene) -> None:
    config = TrainConfig(steps=40, exposure=True, sh_degree=0)
    straight = train(uneven, config)
    state = initial_state(uneven, config)
    train(uneven, config, lambda step, values: step < 17, state)
    restored = unpack(*pack(state))
    assert restored.exposure is not None and restored.exposure.uses.sum() == 17
    again = train(uneven, config, state=restored)
    np.testing.assert_array_equal(again.splats.means, straight.splats.means)


def test_colour_corrected_psnr_forgives_an_affine_map_alone() -> None:
    photo = picture(6) * 0.5 + 0.2
    render = (photo - 0.1) / 0.7
    assert metrics.psnr_cc(render, photo) > 60 > metrics.psnr(render, photo)
    noisy = photo + 0.05 * (picture(7) - 0.5)
    assert metrics.psnr_cc(noisy, photo) == pytest.approx(metrics.psnr(noisy, photo), abs=0.3)
