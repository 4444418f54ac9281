from __future__ import annotations

import numpy as np

from data.skeleton import Skeleton, side
from lifting.augment import AugmentConfig, Joints, augment_rig, contracted, spoil, stretched
from lifting.motions import random_motion
from lifting.random_rigs import random_rig
from lifting.symmetry import symmetry_of


def connected(edges: np.ndarray, count: int) -> bool:
    near: dict[int, set[int]] = {joint: set() for joint in range(count)}
    for a, b in edges.tolist():
        near[a].add(b)
        near[b].add(a)
    seen, todo = {0}, [0]
    while todo:
        for other in near[todo.pop()] - seen:
            seen.add(other)
            todo.append(other)
    return len(seen) == count


def test_bones_stretch_alike_on_both_sides_and_stay_rigid() -> None:
    rng = np.random.default_rng(0)
    rig = random_rig(rng, "quadruped")
    motion = random_motion(rig, rng)
    found = stretched(motion.xyz, rig.skeleton, rng, 0.3)
    parents = rig.parents[1:]
    before = np.linalg.norm(rig.offsets[1:], axis=1)
    lengths = np.linalg.norm(found[:, 1:] - found[:, parents], axis=2)
    assert np.ptp(lengths, axis=0).max() < 1e-9
    factors = dict(zip(rig.names[1:], lengths[0] / before, strict=True))
    assert np.std(list(factors.values())) > 0.1
    for name, factor in factors.items():
        if "_L" in name:
            assert np.isclose(factor, factors[name.replace("_L", "_R")])


def test_what_hangs_from_a_long_bone_is_likely_long() -> None:
    rng = np.random.default_rng(3)
    chain = Skeleton.from_parents([f"link {k}" for k in "abcde"], [-1, 0, 1, 2, 3])
    xyz = np.arange(5.0)[None, :, None] * np.array([1.0, 0.0, 0.0])
    logs = np.log(
        [np.diff(stretched(xyz, chain, rng, 0.5)[0, :, 0]) for _ in range(2000)]
    )  # four bones each time
    assert 0.4 < np.corrcoef(logs[:, 1], logs[:, 2])[0, 1] < 0.75
    assert np.corrcoef(logs[:, 1], logs[:, 3])[0, 1] < np.corrcoef(logs[:, 2], logs[:, 3])[0, 1]


def test_joints_that_go_leave_the_skeleton_in_one_piece() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        rig = random_rig(rng)
        kept = np.sort(rng.permutation(len(rig.names))[: rng.integers(2, len(rig.names) + 1)])
        edges = contracted(rig.skeleton.edges, len(rig.names), kept, rng)
        assert len(edges) == len(kept) - 1 and connected(edges, len(kept))
    line = np.array([[0, 1], [1, 2], [2, 3]])
    assert contracted(line, 4, np.array([0, 3]), rng).tolist() == [[0, 1]]


def test_an_augmented_rig_keeps_within_its_bounds() -> None:
    rng = np.random.default_rng(2)
    config = AugmentConfig()
    for _ in range(40):
        rig = random_rig(rng)
        motion = random_motion(rig, rng, frames=8)
        joints = augment_rig(motion.xyz, rig.skeleton, rng, config, most=20)
        count = joints.xyz.shape[1]
        assert min(8, len(rig.names)) <= count <= 20
        sides = joints.symmetry.sides
        assert np.isfinite(joints.xyz).all() and len(sides) == count
        by_name = np.array([side(name) for name in joints.names])
        assert (sides == by_name).all() or (sides == -by_name).all()
        assert joints.edges.min() >= 0 and joints.edges.max() < count


def test_a_mirror_image_has_its_left_on_the_right() -> None:
    """What is forward x upward, times what leads from left to right, keeps its sign."""
    config = AugmentConfig(stretch=0, bend=0, drop=0, merge=0, edges=0, inferred=0)
    found = set()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        rig = random_rig(np.random.default_rng(5), "quadruped")
        motion = random_motion(rig, rng, frames=4)
        joints = augment_rig(motion.xyz, rig.skeleton, rng, config, most=99)
        sides = joints.symmetry.sides
        found.add(bool((sides == [side(name) for name in joints.names]).all()))
        across = joints.xyz[0, sides > 0].mean(axis=0) - joints.xyz[0, sides < 0].mean(axis=0)
        forward = joints.xyz[0, joints.names.index("head")] - joints.xyz[0, 0]
        assert np.linalg.det([forward, [0.0, 1.0, 0.0], across]) > 0
    assert found == {True, False}


def test_tracks_are_spoilt_as_they_say() -> None:
    rng = np.random.default_rng(3)
    xy = rng.standard_normal((30, 12, 2))
    names = [f"{side}_{k}" for k in range(4) for side in ("left", "right")] + list("abcd")
    edges = np.array([[k, k + 1] for k in range(11)])
    joints = Joints(np.zeros((30, 12, 3)), edges, symmetry_of(names))
    whole = spoil(xy, joints, rng, AugmentConfig(clean=1.0))
    np.testing.assert_array_equal(whole.xy, xy)
    assert (whole.confidence == 1).all()
    gone = []
    for _ in range(200):
        tracks = spoil(xy, joints, rng, AugmentConfig(clean=0.0))
        hidden = np.isnan(tracks.xy).any(axis=2)
        assert (tracks.confidence[hidden] == 0).all() and (tracks.confidence[~hidden] > 0).all()
        assert ((~hidden).sum(axis=1) >= 4).all()
        gone.append(hidden.mean())
    assert 0.05 < np.mean(gone) < 0.4 and np.max(gone) > 0.3
    config = AugmentConfig(clean=0, hidden=0, outliers=0, limbs=0, jitter=0, swaps=1, scored=0)
    swapped = spoil(xy, joints, rng, config).xy
    assert not np.array_equal(swapped, xy)
    np.testing.assert_allclose(np.sort(swapped, axis=1), np.sort(xy, axis=1))


def test_a_skeleton_without_sides_is_never_swapped() -> None:
    rng = np.random.default_rng(4)
    joints = Joints(np.zeros((5, 3, 3)), np.array([[0, 1], [1, 2]]), symmetry_of("abc"))
    xy = rng.standard_normal((5, 3, 2))
    config = AugmentConfig(clean=0, hidden=0, outliers=0, limbs=0, jitter=0, swaps=1, scored=0)
    np.testing.assert_array_equal(spoil(xy, joints, rng, config).xy, xy)
