"""Skeleton: named joints and the bones between them; any animal, any number of joints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Bool, Int64

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_GLUED = re.compile(r"([LR])(?=eye|ear|should|elbow|wrist|hand|paw|hip|knee|ankle|foot|leg|arm)")


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Joints by name and bones as pairs of joints.

    Bones may form circles, joints may stand alone; `parents` is a forest made of the bones. Raises
    ValueError for names that are empty or not unique and for bones that lead nowhere.
    """

    names: tuple[str, ...]
    edges: Int64[np.ndarray, "e 2"]
    """Joints of each bone, from 0; the parent first where that is known."""

    def __post_init__(self) -> None:
        names = tuple(map(str, self.names))
        edges = np.asarray(self.edges)
        if not len(edges):
            edges = np.zeros((0, 2), np.int64)
        if not names:
            raise ValueError("expected the names of one or more joints, found none")
        if not all(name.strip() for name in names):
            raise ValueError("expected a name for each joint, found an empty one")
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"expected joints of different names, found {twice!r} twice")
        if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu":
            raise ValueError(
                f"expected bones as pairs of joints, whole numbers of shape (bones, 2), found "
                f"{edges.dtype} of shape {edges.shape}"
            )
        if edges.size and (edges.min() < 0 or edges.max() >= len(names)):
            raise ValueError(
                f"expected bones between joints 0 to {len(names) - 1}, found {edges.min()} to "
                f"{edges.max()}; are they counted from 1?"
            )
        if (edges[:, 0] == edges[:, 1]).any():
            alone = names[int(edges[edges[:, 0] == edges[:, 1]][0, 0])]
            raise ValueError(f"expected bones between two joints, found one from {alone} to itself")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "edges", edges.astype(np.int64))

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def from_parents(cls, names: Sequence[str], parents: Iterable[int]) -> Skeleton:
        """The skeleton of a hierarchy; -1 is the parent of a root."""
        pairs = [(parent, joint) for joint, parent in enumerate(parents) if parent >= 0]
        return cls(tuple(names), np.array(pairs, np.int64).reshape(-1, 2))

    @cached_property
    def parents(self) -> Int64[np.ndarray, "j"]:
        """The parent of each joint in a forest of bones, -1 for the roots.

        Where the bones are a forest as they are written, parent first, it is that one; otherwise
        each connected part hangs from its most central joint, and bones that close a circle are
        left out.
        """
        written = np.full(len(self), -1, np.int64)
        written[self.edges[:, 1]] = self.edges[:, 0]
        one_parent = len(np.unique(self.edges[:, 1])) == len(self.edges)
        if one_parent and len(_order(written)) == len(self):
            return written
        near = self._neighbours()
        parents = np.full(len(self), -1, np.int64)
        left = set(range(len(self)))
        while left:
            part = list(_walk(near, min(left)))
            left -= set(part)
            root = min(part, key=lambda joint: (_far(near, joint), joint))
            for joint, parent in _walk(near, root).items():
                parents[joint] = parent
        return parents

    @cached_property
    def order(self) -> tuple[int, ...]:
        """All joints, each after its parent."""
        return _order(self.parents)

    @cached_property
    def below(self) -> Bool[np.ndarray, "j j"]:
        """For each joint, which joints hang from it, itself among them."""
        found = np.eye(len(self), dtype=bool)
        for joint in self.order:
            if (parent := int(self.parents[joint])) >= 0:
                found[:, joint] |= found[:, parent]
        return found

    @cached_property
    def sides(self) -> Int64[np.ndarray, "j"]:
        """-1 for joints whose name says left, 1 for right, 0 for the others."""
        return np.array([side(name) for name in self.names], np.int64)

    def _neighbours(self) -> list[list[int]]:
        near: list[list[int]] = [[] for _ in self.names]
        for a, b in self.edges.tolist():
            near[a].append(b)
            near[b].append(a)
        return near


def side(name: str) -> int:
    """-1 where a joint's name says left, 1 where it says right, else 0.

    Understands `left_paw`, `L_Eye`, `LeftArm`, `paw.L`, `paw_r_2`, `Rshoulder`.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    if glued := _GLUED.match(name):
        words.append(glued[1].lower())
    left = any(word == "l" or word.startswith("left") for word in words)
    right = any(word == "r" or word.startswith("right") for word in words)
    return int(right) - int(left)


@lru_cache(maxsize=10_000)
def without_side(name: str) -> str:
    """What the names of both sides of a pair have in common, where the name says its side.

    >>> without_side("left_paw") == without_side("right_paw") != without_side("tail")
    True
    """
    if not side(name):
        return name
    text = name.lower()
    for word in ("left", "right"):
        text = text.replace(word, "*")
    return "".join("*" if c in "lr" else c for c in text)


def mirrored(names: Sequence[str]) -> Int64[np.ndarray, "j"]:
    """Of each joint the one on the other side, itself where names tell of none.

    >>> mirrored(("nose", "left_paw", "right_paw", "left_ear")).tolist()
    [0, 2, 1, 3]
    """
    found = np.arange(len(names))
    places: dict[tuple[str, int], list[int]] = {}
    for joint, name in enumerate(names):
        places.setdefault((without_side(name), side(name)), []).append(joint)
    for (group, of_side), joints in places.items():
        across = places.get((group, -of_side), [])
        if of_side and len(joints) == len(across) == 1:
            found[joints[0]] = across[0]
    return found


def _walk(near: list[list[int]], root: int) -> dict[int, int]:
    """Joints reached from `root`, nearest first, with the joint each was reached from."""
    found, place = {root: -1}, [root]
    for joint in place:
        for other in near[joint]:
            if other not in found:
                found[other] = joint
                place.append(other)
    return found


def _far(near: list[list[int]], root: int) -> int:
    """Sum of the numbers of bones from `root` to all joints it reaches."""
    steps: dict[int, int] = {-1: -1}
    for joint, parent in _walk(near, root).items():
        steps[joint] = steps[parent] + 1
    return sum(steps.values()) + 1


def _order(parents: np.ndarray) -> tuple[int, ...]:
    """Joints with parents before children; those on a circle are missing."""
    children: dict[int, list[int]] = {}
    for joint, parent in enumerate(parents.tolist()):
        children.setdefault(parent, []).append(joint)
    order = list(children.get(-1, []))
    for joint in order:
        order.extend(children.get(joint, []))
    return tuple(order)
