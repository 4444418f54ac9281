"""A training's state, packed and unpacked: weights whole, second moments to 8 bits, and it goes
on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from backbones.config import BackboneConfig
from backbones.training_state import load_training, save_training
from benchmarks.carried_state import pack, unpack, upper_bits, widened
from lifting.config import LifterConfig, LiftFitConfig
from lifting.fitting import fit as lift_fit
from lifting.fitting import initial_state as lifting_state
from lifting.model import new_lifter
from pointcloud.classifier_files import new_model
from pointcloud.config import FitConfig, GaussianConfig, GaussianNetConfig
from pointcloud.fitting import fit, initial_state
from tests.pointcloud.solids import made_clouds


def test_bits_round_to_nearest() -> None:
    numbers = np.array([1.0, 1.0 + 2**-9, 1.0 + 3 * 2**-9, -3e-12, 0.0], np.float32)
    found = widened(upper_bits(numbers))
    np.testing.assert_allclose(found, numbers, rtol=2**-8)
    assert found[0] == 1.0 and found[4] == 0.0


def test_a_packed_state_goes_on(tmp_path: Path) -> None:
    data = made_clouds(("ball", "rod"), 8)
    small = GaussianNetConfig(64, 16, encoder=GaussianConfig(4))
    config = FitConfig(steps=6, batch=4)
    state = initial_state(new_model(small, 2, 0), config)
    fit(state, data, FitConfig(steps=3, batch=4))
    whole, packed, back = (tmp_path / name for name in ("whole", "packed", "back"))
    save_training(whole, state, config, {"of": "a test"})
    pack(whole, packed)
    unpack(packed, back)
    assert packed.stat().st_size < 0.65 * whole.stat().st_size
    again = initial_state(new_model(small, 2, 1), config)
    load_training(back, again, config, {"of": "a test"})
    assert again.step == 3
    for one, other in zip(state.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)
    fit(again, data, config)
    assert again.step == 6


def test_a_lifter_under_muon_is_packed_too(tmp_path: Path) -> None:
    backbone = BackboneConfig(width=16, depth=2, heads=2, head_dim=8)
    small = LifterConfig(backbone, fourier=4)
    config = LiftFitConfig(steps=2, tokens=300, frames=4, optimiser="muon")
    state = lifting_state(new_lifter(small, 0), config)
    lift_fit(state, [], LiftFitConfig(steps=1, tokens=300, frames=4, optimiser="muon"))
    whole, packed, back = (tmp_path / name for name in ("whole", "packed", "back"))
    save_training(whole, state, config, {"of": "a test"})
    pack(whole, packed)
    unpack(packed, back)
    again = lifting_state(new_lifter(small, 1), config)
    load_training(back, again, config, {"of": "a test"})
    lift_fit(again, [], config)
    assert again.step == 2
