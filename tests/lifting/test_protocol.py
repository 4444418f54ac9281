"""Who stands on which side: rigs by family, movements of a family together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lifting.clips import RigClips
from lifting.motions import random_motion
from lifting.protocol import (
    HELD_OUT,
    SELECTION,
    UNSEEN,
    held_out_clips,
    hide,
    split,
    still_camera_clips,
    training_rigs,
    without_edges,
)
from lifting.random_rigs import random_rig


def rig_of(name: str, movements: tuple[str, ...], kind: str = "bird", seed: int = 0) -> RigClips:
    rng = np.random.default_rng(seed)
    rig = random_rig(np.random.default_rng(7), kind)
    clips = []
    for movement in movements:
        clips.append(replace(random_motion(rig, rng, frames=20), name=f"{name}/{movement}"))
    return RigClips(name, rig.skeleton, tuple(clips))


def test_every_fifth_movement_is_held_out_of_all_rigs_of_a_family() -> None:
    movements = ("walk", "run", "eat", "fly", "sit", "turn", "jump")
    one = rig_of("heron", movements)
    two = rig_of("stork", ("stand", "Jump", "run"), seed=1)
    lone = rig_of("lone", ("walk",), "quadruped")
    found = held_out_clips([one, two, lone])
    # movements in order of appearance: run is the second and jump the seventh, five after it
    assert HELD_OUT == 5
    assert found["heron"] == ([0, 2, 3, 4, 5], [1, 6])
    assert found["stork"] == ([0], [1, 2])
    assert found["lone"] == ([0], [])


def test_the_same_poses_under_another_name_are_the_same_movement() -> None:
    one = rig_of("heron", ("walk", "run", "eat"))
    copy = replace(one.clips[1], name="heron/gallop", xyz=2.0 * one.clips[1].xyz + 5.0)
    both = replace(one, clips=(*one.clips, copy))
    assert held_out_clips([both])["heron"] == ([0, 2], [1, 3])


def test_what_is_trained_on_holds_no_unseen_rig_and_nothing_held_out() -> None:
    unseen = rig_of(UNSEEN[0], ("walk", "run"), "quadruped")
    seen = rig_of("heron", ("walk", "run", "eat"))
    (kept,) = training_rigs([unseen, seen])
    assert [clip.name for clip in kept.clips] == ["heron/walk", "heron/eat"]
    assert [rig.name for rig in split([unseen, seen], "unseen")] == [UNSEEN[0]]


def test_once_all_is_chosen_rigs_of_choices_are_trained_on_too() -> None:
    rigs = [rig_of("heron", ("walk", "run")), rig_of(SELECTION[0], ("walk", "run"), "quadruped")]
    rigs.append(rig_of(UNSEEN[0], ("walk",), "biped"))
    assert [rig.name for rig in training_rigs(rigs)] == ["heron"]
    both = training_rigs(rigs, with_selection=True)
    assert [(rig.name, len(rig.clips)) for rig in both] == [("heron", 1), (SELECTION[0], 1)]


def test_a_family_on_two_sides_is_refused() -> None:
    rigs = [rig_of(UNSEEN[0], ("walk",)), rig_of("heron", ("walk",))]
    with pytest.raises(ValueError, match="expected a family of rigs on one side"):
        split(rigs, "train")


def test_without_its_edges_a_clip_is_the_same_clip() -> None:
    rigs = [rig_of("heron", ("walk", "run"))]
    whole = still_camera_clips(rigs, 1, 1)
    bare = without_edges(whole, rigs)
    assert [clip.view for clip in bare] == [clip.view for clip in whole]
    assert all(len(clip.edges) == clip.truth.shape[1] - 1 for clip in bare)
    given = {frozenset(edge) for edge in whole[0].edges.tolist()}
    assert given != {frozenset(edge) for edge in bare[0].edges.tolist()}


def test_hidden_points_are_as_many_as_asked_for() -> None:
    xy = np.random.default_rng(0).normal(size=(48, 12, 2))
    hidden = np.isnan(hide(xy, 0.3, np.random.default_rng(1))).any(axis=2)
    assert hidden.sum() == round(0.3 * hidden.size)
    assert ((~hidden).sum(axis=1) >= 3).all()
