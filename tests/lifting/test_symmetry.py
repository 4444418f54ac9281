"""Left and right: out of names, with the axes of clips, and as a lifter is told of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from backbones.config import BackboneConfig
from lifting.batches import examples_of_step
from lifting.clips import RigClips
from lifting.config import LifterConfig, LiftFitConfig
from lifting.graphs import graph_of
from lifting.inputs import LiftInputs, collate, prepare
from lifting.lifter_files import load_lifter, save_lifter
from lifting.model import new_lifter, with_sides
from lifting.motions import random_motion
from lifting.protocol import still_camera_clips, without_names
from lifting.random_rigs import random_rig
from lifting.symmetry import Symmetry, symmetry_of, unknown

SMALL = LifterConfig(BackboneConfig(width=16, depth=2, heads=2, head_dim=8), fourier=4)
NAMES = ("nose", "earL", "earR", "tail", "left paw", "right paw")
EDGES = np.array([[0, 1], [0, 2], [0, 3], [3, 4], [3, 5]])


def given(symmetry: Symmetry | None, seed: int = 0) -> LiftInputs:
    xy = np.random.default_rng(seed).standard_normal((4, len(NAMES), 2))
    return collate([prepare(xy, None, graph_of(EDGES, len(NAMES), symmetry))])


def rig_clips(name: str) -> RigClips:
    rig = random_rig(np.random.default_rng(5), "quadruped")
    motion = random_motion(rig, np.random.default_rng(6), frames=30)
    return RigClips(name, rig.skeleton, (motion,))


def test_names_say_which_side_and_which_joint_lies_across() -> None:
    found = symmetry_of(NAMES)
    assert found.sides.tolist() == [0, -1, 1, 0, -1, 1]
    assert np.argwhere(found.across).tolist() == [[1, 2], [2, 1], [4, 5], [5, 4]]
    kept = found.of(np.array([0, 2, 4, 5]))
    assert kept.sides.tolist() == [0, 1, -1, 1]
    assert np.argwhere(kept.across).tolist() == [[2, 3], [3, 2]]
    assert found.turned.sides.tolist() == [0, 1, -1, 0, 1, -1]
    assert (found.turned.across == found.across).all()


@pytest.mark.parametrize(
    "names", [(), ("a", "b"), ("fin_r", "head"), ("SpineF", "SpineM", "SpineL")]
)
def test_a_side_without_a_counterpart_is_none(names) -> None:
    found = symmetry_of(names)
    assert found.sides.tolist() == [0] * len(names) and not found.across.any()


def test_left_handed_files_are_known_by_their_source() -> None:
    plain = symmetry_of(rig_clips("mine").skeleton.names).sides
    assert plain.any() and (rig_clips("mine").symmetry.sides == plain).all()
    for name in ("0ad_fauna__horse", "animalia__pig"):
        assert (rig_clips(name).symmetry.sides == -plain).all()
    assert (rig_clips("0ad_fauna__zebu").symmetry.sides == plain).all()


def test_a_lifter_hears_of_sides_and_of_nothing_where_there_are_none() -> None:
    told, deaf = new_lifter(SMALL, 0).eval(), new_lifter(replace(SMALL, sides=False), 0).eval()
    sides, nothing = symmetry_of(NAMES), unknown(len(NAMES))
    assert not torch.equal(told(given(sides)).xyz, told(given(nothing)).xyz)
    assert not torch.equal(told(given(sides)).xyz, told(given(sides.turned)).xyz)
    assert torch.equal(told(given(None)).xyz, told(given(nothing)).xyz)
    assert torch.equal(deaf(given(sides)).xyz, deaf(given(None)).xyz)


def test_permuted_joints_with_their_sides_come_out_permuted() -> None:
    model = new_lifter(SMALL, 0).double().eval()
    order = np.array([3, 5, 0, 2, 1, 4])
    xy = np.random.default_rng(1).standard_normal((3, len(NAMES), 2))
    found = []
    for rows in (np.arange(len(NAMES)), order):
        graph = graph_of(np.argsort(rows)[EDGES], len(rows), symmetry_of(NAMES).of(rows))
        inputs = collate([prepare(xy[:, rows], None, graph)])
        parts = {n: getattr(inputs, n) for n in inputs.__dataclass_fields__}
        parts = {n: p.double() if p.is_floating_point() else p for n, p in parts.items()}
        found.append(model(LiftInputs(**parts)).xyz)
    torch.testing.assert_close(found[1], found[0][:, :, order], rtol=1e-4, atol=1e-5)


def test_a_lifter_that_begins_to_hear_of_sides_is_the_same_at_first(tmp_path) -> None:
    before = new_lifter(replace(SMALL, sides=False), 3).eval()
    after = with_sides(before).eval()
    assert after.config == SMALL
    for symmetry in (None, symmetry_of(NAMES)):
        torch.testing.assert_close(after(given(symmetry)).xyz, before(given(None)).xyz)
    again = with_sides(after).eval()
    assert torch.equal(again(given(None)).xyz, after(given(None)).xyz)


def test_files_from_before_there_were_sides_are_read(tmp_path, monkeypatch) -> None:
    import lifting.lifter_files as files

    before = new_lifter(replace(SMALL, sides=False), 3)
    asdict = files.asdict
    monkeypatch.setattr(
        files, "asdict", lambda c: {k: v for k, v in asdict(c).items() if k != "sides"}
    )
    save_lifter(tmp_path / "old.safetensors", before, {})
    found = load_lifter(tmp_path / "old.safetensors").model
    assert found.config == before.config
    assert torch.equal(found(given(None)).xyz, before.eval()(given(None)).xyz)


def test_training_clips_have_sides_but_for_a_share_without_names() -> None:
    config = LiftFitConfig(steps=1, tokens=6000, frames=2, generated=0.0, short=0.0)
    examples = [e for step in (1, 2, 3) for e in examples_of_step([rig_clips("a")], config, step)]
    named = np.array([e.prepared.sides.any() for e in examples])
    assert 0.6 < named.mean() < 0.9
    plain = examples_of_step([rig_clips("a")], replace(config, augment=False), 1)
    assert all(e.prepared.sides.any() for e in plain)


def test_clips_of_the_protocol_have_the_sides_of_their_rigs() -> None:
    rig = rig_clips("0ad_fauna__horse")
    clips = still_camera_clips([rig], 1, 1)
    assert all((clip.symmetry.sides == rig.symmetry.sides).all() for clip in clips)
    for bare, clip in zip(without_names(clips), clips, strict=True):
        assert not bare.symmetry.sides.any() and (bare.edges == clip.edges).all()
