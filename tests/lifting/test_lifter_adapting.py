"""An adapter on a lifter: the base stays, its file gives the same back, ends are held out."""

from __future__ import annotations

import numpy as np
import pytest

import lifting
from backbones.adapter_files import fingerprint
from backbones.adapters import AdapterConfig
from backbones.config import BackboneConfig
from data.errors import UserError
from lifting import adapting
from lifting.clips import RigClips
from lifting.config import LifterConfig, LiftFitConfig
from lifting.lifter_files import SavedLifter, load_lifter, save_lifter
from lifting.model import new_lifter
from lifting.motions import random_motion
from lifting.random_rigs import random_rig

SMALL = LifterConfig(BackboneConfig(width=16, depth=2, heads=2, head_dim=8), fourier=4)
FIT = LiftFitConfig(steps=5, tokens=300, frames=4, generated=0.0, average=0.5)
ADAPTER = AdapterConfig("sine-lora", 2, 4.0, 50.0)


def own_rig(frames: tuple[int, ...] = (60, 12)) -> RigClips:
    rng = np.random.default_rng(3)
    rig = random_rig(rng, "bird")
    clips = tuple(random_motion(rig, rng, frames=n) for n in frames)
    return RigClips("mine", rig.skeleton, clips)


@pytest.mark.parametrize("bits", [None, 4])
def test_a_lifter_is_adapted_and_comes_back_from_the_file(bits, tmp_path) -> None:
    base = tmp_path / "base.safetensors"
    save_lifter(base, new_lifter(SMALL, 0), {})
    xy = np.random.default_rng(0).normal(size=(10, 6, 2))
    edges = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]])
    before = lifting.load(weights=base).lift(xy, edges=edges).xyz
    adaptation = adapting.begin(load_lifter(base), ADAPTER)
    adapting.adapt(adaptation, [own_rig()], FIT)
    assert fingerprint(adaptation.model) == adaptation.base
    size = adaptation.save(tmp_path / "a", bits)
    assert size < 20_000
    expected = lifting.Lift(SavedLifter(adaptation.model, {})).lift(xy, edges=edges).xyz
    found = lifting.load(weights=base, adapter=tmp_path / "a").lift(xy, edges=edges).xyz
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(found - before).max() > 1e-3


def test_an_adapter_of_another_lifter_is_refused(tmp_path) -> None:
    save_lifter(tmp_path / "other.safetensors", new_lifter(SMALL, 1), {})
    adaptation = adapting.begin(SavedLifter(new_lifter(SMALL, 0), {}), ADAPTER)
    adaptation.save(tmp_path / "a")
    with pytest.raises(UserError, match="expected the base it was trained on"):
        lifting.load(weights=tmp_path / "other.safetensors", adapter=tmp_path / "a")


def test_the_ends_of_long_clips_are_held_out() -> None:
    rig = own_rig((60, 12))
    ((first,), (last,)) = adapting.parted([rig])
    assert [len(clip) for clip in first.clips] == [48, 10]
    assert [len(clip) for clip in last.clips] == [12]
    np.testing.assert_array_equal(last.clips[0].xyz, rig.clips[0].xyz[48:])
    ((whole,), none) = adapting.parted([own_rig((12,))])
    assert [len(clip) for clip in whole.clips] == [12] and none == []
