"""Skeletons: a forest out of any bones, sides out of names, clear errors."""

from __future__ import annotations

import numpy as np
import pytest

from data.skeleton import Skeleton, side

HORSE = ("nose", "neck", "tail", "front_left", "front_right", "hind_left", "hind_right")


def test_bones_written_parent_first_keep_their_directions():
    skeleton = Skeleton(HORSE, np.array([(1, 0), (1, 2), (1, 3), (1, 4), (2, 5), (2, 6)]))
    assert skeleton.parents.tolist() == [1, -1, 1, 1, 1, 2, 2]
    again = Skeleton.from_parents(HORSE, skeleton.parents)
    assert sorted(map(tuple, again.edges)) == sorted(map(tuple, skeleton.edges))


def test_other_bones_hang_from_the_most_central_joint():
    chain = Skeleton(tuple("abcde"), np.array([(1, 0), (1, 2), (3, 2), (3, 4)]))
    assert chain.parents.tolist() == [1, 2, -1, 2, 3]


def test_circles_and_lone_joints_make_a_spanning_forest():
    edges = np.array([(0, 1), (1, 2), (2, 0), (3, 4), (4, 3)])
    skeleton = Skeleton(tuple("abcdef"), edges)
    parents = skeleton.parents
    assert (parents == -1).sum() == 3 and parents[5] == -1
    bones = {frozenset(edge) for edge in edges.tolist()}
    assert all({j, p} in bones for j, p in enumerate(parents.tolist()) if p >= 0)
    seen: set[int] = set()
    for joint in skeleton.order:
        assert parents[joint] in seen | {-1}
        seen.add(joint)
    assert seen == set(range(6))


def test_what_hangs_from_a_joint():
    skeleton = Skeleton.from_parents("abcde", (-1, 0, 1, 0, -1))
    hanging = ["".join(np.array(list("abcde"))[row]) for row in skeleton.below]
    assert hanging == ["abcd", "bc", "c", "d", "e"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        *((name, -1) for name in ("left_paw", "L_Eye", "LeftArm", "paw.L", "Lshoulder", "LEye")),
        *((name, 1) for name in ("paw_r_2", "frontRight", "R1", "HindLegR", "right ear", "Rhip")),
        *((name, 0) for name in ("nose", "rump", "Lumbar", "Root", "tail_3", "collar", "Lip")),
    ],
)
def test_sides_by_name(name, found):
    assert side(name) == found


@pytest.mark.parametrize(
    ("names", "edges", "says"),
    [
        ((), [], "one or more joints"),
        (("a", "a"), [], "'a' twice"),
        (("a", " "), [], "an empty one"),
        (("a", "b"), [(1, 2)], "counted from 1"),
        (("a", "b"), [(-1, 0)], "between joints 0 to 1"),
        (("a", "b"), [(1, 1)], "from b to itself"),
        (("a", "b"), [(0.5, 1.0)], "whole numbers"),
        (("a", "b"), [0, 1], "whole numbers"),
    ],
)
def test_what_makes_no_skeleton_says_why(names, edges, says):
    with pytest.raises(ValueError, match=says):
        Skeleton(names, np.array(edges))
