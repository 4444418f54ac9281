from __future__ import annotations

import numpy as np
import pytest

from lifting.motions import kinematics, random_motion
from lifting.movements import Angles, tuck
from lifting.random_rigs import PLANS, random_rig
from lifting.rigs import Rig


def bones(xyz: np.ndarray, parents: np.ndarray) -> np.ndarray:
    return np.linalg.norm(xyz[:, 1:] - xyz[:, parents[1:]], axis=2)


@pytest.mark.parametrize("plan", PLANS)
def test_bones_are_rigid_and_motion_is_smooth(plan) -> None:
    rng = np.random.default_rng(3)
    for _ in range(12):
        rig = random_rig(rng, plan)
        motion = random_motion(rig, rng, frames=96)
        lengths = bones(motion.xyz, rig.parents)
        assert np.ptp(lengths, axis=0).max() < 1e-9
        np.testing.assert_allclose(lengths[0], np.linalg.norm(rig.offsets[1:], axis=1))
        jumps = np.linalg.norm(np.diff(motion.xyz, 2, axis=0), axis=2)
        assert np.median(jumps) < 0.05 * motion.diagonal
        assert 6 <= len(rig.names) <= 80


@pytest.mark.parametrize("plan", PLANS)
def test_a_rig_at_rest_is_its_own_mirror_image(plan) -> None:
    rig = random_rig(np.random.default_rng(5), plan)
    place = {name: joint for joint, name in enumerate(rig.names)}
    rest, pairs = rig.rest, 0
    for name, joint in place.items():
        stem, dot, rest_of_name = name.partition("_L")
        twin = f"{stem}_R{rest_of_name}"
        if dot and twin in place:
            pairs += 1
            np.testing.assert_allclose(rest[joint] * [1, 1, -1], rest[place[twin]], atol=1e-12)
        elif not dot and "_R" not in name and "fluke" not in name:
            assert abs(rest[joint, 2]) < 1e-12, name
    assert pairs or plan in ("crawler", "fish")
    assert (rig.parents[1:] < np.arange(1, len(rig.names))).all() and rig.parents[0] == -1


def test_feet_have_toes_and_wings_feathers() -> None:
    rng = np.random.default_rng(0)
    names = [random_rig(rng, plan).names for plan in ("bird", "rodent") for _ in range(50)]
    for part, least in (("hind_toe", 15), ("feather", 8), ("tail_feather", 8)):
        having = [rig for rig in names if any(name.startswith(part) for name in rig)]
        assert least < len(having) < 60
        for rig in having:
            left, right = (
                sum(name.startswith(part) and side in name for name in rig) for side in ("_L", "_R")
            )
            assert left == right > 0


def test_some_animals_have_few_joints_and_some_have_many() -> None:
    rng = np.random.default_rng(0)
    joints = np.array([len(random_rig(rng, "quadruped").names) for _ in range(80)])
    assert joints.min() >= 10
    # as the rigs of animators: a third below 20, the rest up to 60
    assert 0.2 < (joints < 20).mean() < 0.5 and 0.4 < (joints > 26).mean() < 0.8


def test_an_animal_that_flies_is_nearer_to_level() -> None:
    rig = random_rig(np.random.default_rng(0), "bird")
    angles = Angles(*(np.zeros((2, len(rig.names))) for _ in range(3)))
    tuck(rig, angles, np.random.default_rng(1))
    assert (angles.pitch[:, 0] < 0).all() and not angles.roll.any() and not angles.yaw.any()


def test_a_seed_gives_one_motion() -> None:
    one, two = (
        random_motion(random_rig(rng), rng)
        for rng in (np.random.default_rng(9), np.random.default_rng(9))
    )
    np.testing.assert_array_equal(one.xyz, two.xyz)
    assert one.skeleton.names == two.skeleton.names


def test_a_quarter_turn_by_hand() -> None:
    offsets = np.array([[0.0, 0, 0], [1.0, 0, 0], [1.0, 0, 0]])
    rig = Rig("crawler", ("a", "b", "c"), np.array([-1, 0, 1]), offsets, ())
    quarter, zero = np.full((1, 3), 0.0), np.zeros((1, 3))
    quarter[0, 1] = np.pi / 2
    up = kinematics(rig, quarter, zero, zero)[0]
    left = kinematics(rig, zero, quarter, zero)[0]
    np.testing.assert_allclose(up, [[0, 0, 0], [1, 0, 0], [1, 1, 0]], atol=1e-12)
    np.testing.assert_allclose(left, [[0, 0, 0], [1, 0, 0], [1, 0, -1]], atol=1e-12)


def test_standing_feet_stay_on_the_ground() -> None:
    rng = np.random.default_rng(2)
    for _ in range(10):
        rig = random_rig(rng, "quadruped")
        motion = random_motion(rig, rng)
        if "jump" not in motion.name:
            lowest = motion.xyz[..., 1].min(axis=1)
            assert np.abs(lowest).max() < 0.1 * motion.diagonal
