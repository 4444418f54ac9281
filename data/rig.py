"""Rig: a motion as a hierarchy of constant offsets that turns, as animation files want it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from data.errors import UserError
from data.motion import Motion

_PRIOR = 1e-7
"""Weight of the parent's rotation against the directions of the bones: it settles the twist about a
lone bone and bends nothing."""
_RIGID = 1e-4
"""Children of a joint that move against one another by more of the diagonal turn on their own."""


@dataclass(frozen=True, eq=False)
class Rig:
    """Nodes, each after its parent; those that carry a single bone are named `joint__child`."""

    names: tuple[str, ...]
    parents: Int64[np.ndarray, "n"]
    """-1 for roots."""
    offsets: Float[np.ndarray, "n 3"]
    """From the parent at rest; for roots their place at rest. y is up."""
    rotations: Float[np.ndarray, "t n 3 3"]
    """Against the parent; at rest all are the identity."""
    places: Float[np.ndarray, "t r 3"]
    """Of the roots, in their order."""

    @property
    def roots(self) -> Int64[np.ndarray, "r"]:
        """The nodes without a parent."""
        return np.flatnonzero(self.parents < 0)

    def positions(self) -> Float[np.ndarray, "t n 3"]:
        """Where the nodes are."""
        turned = np.empty_like(self.rotations)
        xyz = np.empty(self.rotations.shape[:3])
        xyz[:, self.roots] = self.places
        for node, parent in enumerate(self.parents):
            if parent < 0:
                turned[:, node] = self.rotations[:, node]
            else:
                turned[:, node] = turned[:, parent] @ self.rotations[:, node]
                xyz[:, node] = xyz[:, parent] + turned[:, parent] @ self.offsets[node]
        return xyz


def fit_rig(motions: Sequence[Motion]) -> Rig:
    """One rig for clips of one skeleton, their frames one after another.

    Bones take their median lengths. Gaps are filled in a straight line, joints that are never known
    are left out. UserError when none is, or when the skeletons differ.
    """
    skeleton = motions[0].skeleton
    for other in motions[1:]:
        same = other.skeleton.names == skeleton.names
        if not same or not np.array_equal(other.skeleton.parents, skeleton.parents):
            raise UserError(
                f"expected clips of one skeleton in one file, found {other.name or 'one'} with "
                "another; write a file for each"
            )
    xyz = np.concatenate([upright(motion) for motion in motions])
    known = np.asarray(np.isfinite(xyz).all(axis=2))
    ever = np.asarray(known.any(axis=0))
    if not ever.any():
        raise UserError("expected a motion with joints, found none whose place is known")
    parents = _without(skeleton.parents, ~ever)
    xyz = _filled(xyz, known)
    lengths = _bone_lengths(xyz, parents)
    rest = _rest_frame(xyz, parents, lengths, known)
    order = [joint for joint in skeleton.order if ever[joint]]
    return _Fit(skeleton.names, parents, xyz, lengths, rest).run(order)


class _Fit:
    """Walks down the hierarchy; `turned` holds each node's rotation against the world."""

    def __init__(
        self,
        names: tuple[str, ...],
        parents: np.ndarray,
        xyz: np.ndarray,
        lengths: np.ndarray,
        rest: int,
    ) -> None:
        self._names, self._parents, self._xyz = names, parents, xyz
        self._toward = np.zeros_like(xyz)
        children = np.flatnonzero(parents >= 0)
        bones = xyz[:, children] - xyz[:, parents[children]]
        self._toward[:, children] = bones / np.maximum(
            np.linalg.norm(bones, axis=2, keepdims=True), 1e-300
        )
        self._offsets = self._toward[rest] * lengths[:, None]
        self._offsets[parents == -1] = xyz[rest, parents == -1]
        self._lengths = lengths
        sides = np.ptp(xyz, axis=1)
        self._slack = _RIGID * max(float(np.median(np.linalg.norm(sides, axis=1))), 1e-12)
        self._rest = rest
        self._nodes: list[tuple[str, int, np.ndarray]] = []
        self._turned: list[np.ndarray] = []
        self._holder: dict[int, int] = {}
        """The node that a joint hangs from."""

    def run(self, order: Sequence[int]) -> Rig:
        for joint in order:
            parent = int(self._parents[joint])
            holder = -1 if parent < 0 else self._holder[joint]
            prior = self._body(joint, order) if parent < 0 else self._turned[holder]
            node = self._add(self._names[joint], holder, self._offsets[joint], prior)
            self._turn(joint, node, prior)
        names, parents, offsets = zip(*self._nodes, strict=True)
        above = np.array(parents, np.int64)
        turned = np.stack(self._turned, axis=1)
        rotations = turned.copy()
        hung = above >= 0
        rotations[:, hung] = np.swapaxes(turned[:, above[hung]], -1, -2) @ turned[:, hung]
        roots = [joint for joint in order if self._parents[joint] == -1]
        return Rig(names, above, np.array(offsets), rotations, self._xyz[:, roots])

    def _add(self, name: str, holder: int, offset: np.ndarray, turned: np.ndarray) -> int:
        self._nodes.append((name, holder, offset))
        self._turned.append(turned)
        return len(self._nodes) - 1

    def _turn(self, joint: int, node: int, prior: np.ndarray) -> None:
        """Turn a joint so that its children come right, each by itself where they are not rigid."""
        children = np.flatnonzero(self._parents == joint)
        if not len(children):
            return
        turned = self._turned[node] = self._rotation(children, prior)
        at_rest = self._toward[self._rest, children]
        miss = np.linalg.norm(
            self._toward[:, children] - at_rest @ np.swapaxes(turned, 1, 2), axis=2
        )
        rigid = float((miss * self._lengths[children]).max()) <= self._slack
        for child in children.tolist():
            self._holder[child] = node
            if not rigid:
                name = f"{self._names[joint]}__{self._names[child]}"
                own = self._rotation(np.array([child]), turned)
                self._holder[child] = self._add(name, node, np.zeros(3), own)

    def _rotation(self, children: np.ndarray, prior: np.ndarray) -> np.ndarray:
        at_rest = self._toward[self._rest, children]
        pairs = np.einsum("tci,cj->tij", self._toward[:, children], at_rest)
        return _nearest_rotation(pairs + _PRIOR * prior)

    def _body(self, root: int, order: Sequence[int]) -> np.ndarray:
        """How everything that hangs from a root turns as a whole."""
        below = {root}
        for joint in order:
            if int(self._parents[joint]) in below:
                below.add(joint)
        arms = self._xyz[:, sorted(below)] - self._xyz[:, root : root + 1]
        arms = arms / max(float(np.abs(arms).max()), 1e-300)
        pairs = np.einsum("tci,cj->tij", arms, arms[self._rest])
        return _nearest_rotation(pairs + _PRIOR * np.eye(3))


def upright(motion: Motion) -> Float[np.ndarray, "t j 3"]:
    """The joints with y up, by the shortest turn from the motion's own `up`."""
    x, y, z = motion.up
    if y <= -1 + 1e-12:
        return motion.xyz * (1.0, -1.0, -1.0)
    turn = np.array(
        [
            [1 - x * x / (1 + y), -x, -x * z / (1 + y)],
            [x, y, z],
            [-x * z / (1 + y), -z, 1 - z * z / (1 + y)],
        ]
    )
    return motion.xyz @ turn.T


def unrigged(
    names: Sequence[str], parents: np.ndarray, xyz: np.ndarray
) -> tuple[list[str], list[int], Float[np.ndarray, "t j 3"]]:
    """Joints without the nodes that `fit_rig` put between them, names made unique."""
    count = np.bincount(parents[parents >= 0], minlength=len(names))
    above = parents.tolist()
    dropped = set()
    for child, node in enumerate(above):
        if node < 0 or above[node] < 0 or count[node] != 1:
            continue
        if names[node] == f"{names[above[node]]}__{names[child]}" and np.allclose(
            xyz[:, node], xyz[:, above[node]], rtol=1e-5, atol=1e-9
        ):
            dropped.add(node)
    kept = [node for node in range(len(names)) if node not in dropped]
    place = {node: index for index, node in enumerate(kept)}
    up = [above[above[n]] if above[n] in dropped else above[n] for n in kept]
    taken: dict[str, int] = {}
    unique = []
    for node in kept:
        name = names[node].strip() or "joint"
        taken[name] = taken.get(name, 0) + 1
        while taken[name] > 1 and f"{name}_{taken[name]}" in taken:
            taken[name] += 1
        unique.append(name if taken[name] == 1 else f"{name}_{taken[name]}")
        taken.setdefault(unique[-1], 1)
    return unique, [place.get(node, -1) for node in up], xyz[:, kept]


def _nearest_rotation(pairs: np.ndarray) -> Float[np.ndarray, "t 3 3"]:
    """Rotations R that maximise tr(R^T pairs): Kabsch."""
    u, _, vt = np.linalg.svd(pairs)
    u[..., :, 2] *= np.linalg.det(u @ vt)[..., None]
    return u @ vt


def _without(parents: np.ndarray, gone: np.ndarray) -> Int64[np.ndarray, "j"]:
    """Parents when some joints are not there: their children hang from the next above; -2 for
    the joints that are gone."""
    above = parents.copy()
    for joint in range(len(parents)):
        while above[joint] >= 0 and gone[above[joint]]:
            above[joint] = above[above[joint]]
    above[gone] = -2
    return above


def _filled(xyz: np.ndarray, known: np.ndarray) -> Float[np.ndarray, "t j 3"]:
    """Gaps in a straight line, ends held; joints that are never known at zero."""
    filled = np.where(known[..., None], xyz, 0.0)
    time = np.arange(len(xyz))
    for joint in np.flatnonzero(known.any(axis=0) & ~known.all(axis=0)):
        there = known[:, joint]
        for axis in range(3):
            filled[:, joint, axis] = np.interp(time, time[there], xyz[there, joint, axis])
    return filled


def _bone_lengths(xyz: np.ndarray, parents: np.ndarray) -> Float[np.ndarray, "j"]:
    children = np.flatnonzero(parents >= 0)
    lengths = np.zeros(len(parents))
    bones = np.linalg.norm(xyz[:, children] - xyz[:, parents[children]], axis=2)
    lengths[children] = np.median(bones, axis=0)
    return lengths


def _rest_frame(
    xyz: np.ndarray, parents: np.ndarray, lengths: np.ndarray, known: np.ndarray
) -> int:
    """The frame that shows most joints, at bone lengths nearest to their medians."""
    children = np.flatnonzero(parents >= 0)
    bones = np.linalg.norm(xyz[:, children] - xyz[:, parents[children]], axis=2)
    off = np.abs(bones - lengths[children]).sum(axis=1)
    shown = known.sum(axis=1)
    return int(np.argmin(np.where(shown == shown.max(), off, np.inf)))
