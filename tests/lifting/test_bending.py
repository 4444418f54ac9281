"""Bends keep bones, turn with the animal, and leave what does not hang from the joint."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from data.skeleton import Skeleton
from lifting.bending import bent, body_rotations
from lifting.motions import random_motion
from lifting.random_rigs import random_rig


def test_bones_keep_their_lengths_and_frames_follow_smoothly() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        rig = random_rig(rng)
        motion = random_motion(rig, rng, frames=24)
        found = bent(motion.xyz, rig.skeleton, rng, 0.4)
        assert np.abs(found - motion.xyz).max() > 0
        parents, joints = rig.skeleton.edges.T
        before = np.linalg.norm(motion.xyz[:, joints] - motion.xyz[:, parents], axis=2)
        after = np.linalg.norm(found[:, joints] - found[:, parents], axis=2)
        np.testing.assert_allclose(after, before, atol=1e-9)
        size = np.ptp(motion.xyz[0], axis=0).max()
        steps = np.linalg.norm(np.diff(found, axis=0), axis=2).max()
        natural = np.linalg.norm(np.diff(motion.xyz, axis=0), axis=2).max()
        assert steps < natural + 0.7 * size


def test_only_what_hangs_from_a_joint_moves() -> None:
    chain = Skeleton.from_parents(("a", "b", "c", "d"), (-1, 0, 1, 1))
    xyz = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [1, 1, 0]], float)[None].repeat(3, axis=0)
    found = bent(xyz, chain, np.random.default_rng(1), 0.5)
    np.testing.assert_array_equal(found[:, :2], xyz[:, :2])
    between = np.einsum("ta,ta->t", found[:, 2] - found[:, 1], found[:, 3] - found[:, 1])
    np.testing.assert_allclose(between, 0.0, atol=1e-12)
    assert np.abs(found[:, 2:] - xyz[:, 2:]).max() > 0.01


def test_a_rig_without_inner_joints_stays_as_it_is() -> None:
    star = Skeleton.from_parents(("a", "b", "c"), (-1, 0, 0))
    xyz = np.random.default_rng(2).standard_normal((4, 3, 3))
    np.testing.assert_array_equal(bent(xyz, star, np.random.default_rng(3), 1.0), xyz)


def test_an_animal_that_turns_bends_as_one_that_stands() -> None:
    rng = np.random.default_rng(4)
    rig = random_rig(rng)
    still = random_motion(rig, rng, frames=1).xyz.repeat(9, axis=0)
    turns = Rotation.from_rotvec([[0, 0, angle] for angle in np.linspace(0, 5, 9)]).as_matrix()
    turning = np.einsum("tab,tjb->tja", turns, still)
    np.testing.assert_allclose(body_rotations(turning).as_matrix(), turns, atol=1e-9)
    one = bent(still, rig.skeleton, np.random.default_rng(5), 0.4)
    other = bent(turning, rig.skeleton, np.random.default_rng(5), 0.4)
    np.testing.assert_allclose(np.einsum("tab,tjb->tja", turns, one), other, atol=1e-9)
