"""What happens to rigs and to tracks: other proportions, other joints; hidden points, outliers,
swapped sides, lost limbs, jitter.

Rigs change before the camera, tracks after it. All of it leaves the truth untouched: the lifter is
to find every joint, also those that it was not shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from data.skeleton import Skeleton, without_side
from lifting.bending import bent
from lifting.symmetry import Symmetry, symmetry_of

_INHERITED = 0.7
"""Correlation of the factors of two bones, one of which hangs from the other."""


@dataclass(frozen=True)
class AugmentConfig:
    """How often and how much."""

    stretch: float = 0.2
    """Standard deviation of the logarithm of a bone's factor."""
    fewest: int = 8
    """Joints are dropped down to no fewer."""
    bend: float = 0.5
    """Share of clips in which some joints bend as they do in no clip."""
    angle: float = 0.35
    """Standard deviation of those bends, in radians."""
    drop: float = 0.45
    """Share of clips whose joints are thinned out."""
    merge: float = 0.15
    """Share of clips in which some joints move to the middle of a bone."""
    edges: float = 0.15
    """Share of clips whose edges are partly others than the bones."""
    inferred: float = 0.4
    """Share of clips whose edges are found from their tracks, as those of a file without any: a
    lifter that is always told the bones knows an animal by them, and is lost where they differ."""
    nameless: float = 0.25
    """Share of clips whose joints have no names, which tell left from right."""
    clean: float = 0.6
    """Share of clips whose tracks are left as they are."""
    hidden: float = 0.45
    """Most points hidden in a clip whose tracks are spoilt."""
    outliers: float = 0.03
    swaps: float = 0.3
    """Share of spoilt clips in which left and right change places for a while."""
    limbs: float = 0.3
    """Share of spoilt clips that lose whole limbs for a while."""
    jitter: float = 0.012
    """Most standard deviation of the noise, over the size of the animal."""
    scored: float = 0.5
    """Share of clips whose confidences say anything."""


@dataclass(frozen=True, eq=False)
class Joints:
    """Which points of a clip there are, and between which of them there are edges."""

    xyz: Float64[np.ndarray, "t j 3"]
    edges: Int64[np.ndarray, "e 2"]
    symmetry: Symmetry
    names: tuple[str, ...] = ()
    """None of an animal whose points have none."""


def augment_rig(
    xyz: Float64[np.ndarray, "t j 3"],
    skeleton: Skeleton,
    rng: np.random.Generator,
    config: AugmentConfig,
    most: int,
    symmetry: Symmetry | None = None,
) -> Joints:
    """Another animal out of this one, of at most `most` joints: bones longer or shorter, alike on
    both sides, joints bent, a mirror image, joints dropped and merged, edges changed. `symmetry` is
    that of its axes, where it is not what the names say."""
    symmetry = symmetry or symmetry_of(skeleton.names)
    xyz = stretched(xyz, skeleton, rng, config.stretch * rng.random())
    if rng.random() < config.bend:
        xyz = bent(xyz, skeleton, rng, config.angle * rng.random())
    if rng.random() < 0.5:
        xyz, symmetry = xyz * np.array([-1.0, 1.0, 1.0]), symmetry.turned
    edges = skeleton.edges
    if rng.random() < config.merge:
        xyz = _merged(xyz, edges, rng)
    count = xyz.shape[1]
    fewest = min(config.fewest, count)
    keep = count
    if rng.random() < config.drop:
        keep = int(rng.integers(fewest, count + 1))
    keep = min(keep, max(most, fewest))
    kept = np.sort(rng.permutation(count)[:keep])
    edges = contracted(edges, count, kept, rng)
    if rng.random() < config.edges:
        edges = _other_edges(edges, keep, rng)
    names = tuple(skeleton.names[joint] for joint in kept)
    return Joints(xyz[:, kept], edges, symmetry.of(kept), names)


def stretched(
    xyz: Float64[np.ndarray, "t j 3"],
    skeleton: Skeleton,
    rng: np.random.Generator,
    spread: float,
) -> Float64[np.ndarray, "t j 3"]:
    """Bones times factors that left and right share, and that a bone has in part from the one
    before it, as long legs are long all the way; joints keep the directions of their bones."""
    parents = skeleton.parents
    drawn: dict[str, float] = {}
    logs = np.zeros(len(skeleton))
    for joint in skeleton.order:
        if (parent := int(parents[joint])) >= 0:
            group = without_side(skeleton.names[joint])
            if group not in drawn:
                own = (1 - _INHERITED**2) ** 0.5 * rng.standard_normal()
                drawn[group] = _INHERITED * logs[parent] + own
            logs[joint] = drawn[group]
    factors = np.exp(spread * logs)
    bones = np.where(parents[:, None] < 0, xyz, xyz - xyz[:, parents])
    return skeleton.below.T.astype(np.float64) @ (factors[:, None] * bones)


def contracted(
    edges: Int64[np.ndarray, "e 2"],
    count: int,
    kept: Int64[np.ndarray, "k"],
    rng: np.random.Generator,
) -> Int64[np.ndarray, "f 2"]:
    """Edges among the joints `kept`, renumbered: a joint that goes hands its neighbours to one of
    them."""
    near: list[set[int]] = [set() for _ in range(count)]
    for a, b in edges.tolist():
        near[a].add(b)
        near[b].add(a)
    gone = set(range(count)) - set(kept.tolist())
    for joint in gone:
        others = sorted(near[joint])
        for other in others:
            near[other].discard(joint)
        if others:
            hub = others[int(rng.integers(len(others)))]
            for other in others:
                if other != hub:
                    near[hub].add(other)
                    near[other].add(hub)
        near[joint] = set()
    place = {joint: row for row, joint in enumerate(kept.tolist())}
    pairs = [(place[a], place[b]) for a in place for b in sorted(near[a]) if a < b]
    return np.array(pairs, np.int64).reshape(-1, 2)


@dataclass(frozen=True, eq=False)
class Tracks:
    """What a tracker might have given for a view."""

    xy: Float64[np.ndarray, "t j 2"]
    """NaN where hidden."""
    confidence: Float64[np.ndarray, "t j"]


def spoil(
    xy: Float64[np.ndarray, "t j 2"],
    joints: Joints,
    rng: np.random.Generator,
    config: AugmentConfig,
) -> Tracks:
    """Tracks of a view: as they are, or with everything that goes wrong."""
    frames, count = xy.shape[:2]
    trust = np.ones((frames, count))
    if rng.random() < config.clean:
        return Tracks(xy.copy(), trust)
    xy = xy.copy()
    size = float(np.sqrt(((xy - xy.mean(axis=1, keepdims=True)) ** 2).sum(axis=2).mean()))
    noise = config.jitter * rng.random() * size
    xy += noise * rng.standard_normal(xy.shape)
    wrong = np.zeros((frames, count), bool)
    if rng.random() < config.swaps:
        wrong |= _swap_sides(xy, joints.symmetry.sides, rng)
    out = rng.random((frames, count)) < config.outliers * rng.random()
    xy[out] += size * rng.standard_normal((int(out.sum()), 2))
    wrong |= out
    hidden = _hidden(frames, count, config.hidden * rng.random() ** 1.5, rng)
    if rng.random() < config.limbs:
        hidden |= _lost_limb(joints.edges, frames, count, rng)
    hidden &= ~_least_seen(hidden, rng)
    if rng.random() < config.scored:
        trust = np.clip(rng.beta(8, 1.5, (frames, count)), 0.05, 1.0)
        doubt = wrong & (rng.random((frames, count)) < 0.6)
        trust[doubt] *= rng.uniform(0.05, 0.6)
    xy[hidden] = np.nan
    return Tracks(xy, np.where(hidden, 0.0, trust))


def _hidden(
    frames: int, count: int, share: float, rng: np.random.Generator
) -> Bool[np.ndarray, "t j"]:
    """Points hidden for some frames on end, as things that stand in the way do."""
    length = max(1, int(rng.integers(1, frames + 1)))
    starts = rng.random((frames, count)) < share / length * 1.2
    hidden = np.zeros((frames, count), bool)
    for shift in range(length):
        hidden[shift:] |= starts[: frames - shift]
    if rng.random() < 0.3:
        hidden |= rng.random((frames, count)) < share
    return hidden


def _least_seen(hidden: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """At least a third of the joints is seen in each frame."""
    frames, count = hidden.shape
    order = rng.random((frames, count)).argsort(axis=1)
    few = (~hidden).sum(axis=1) < max(3, count // 3)
    back = np.zeros_like(hidden)
    rows = np.flatnonzero(few)
    back[rows[:, None], order[rows, : max(3, count // 3)]] = True
    return back


def _lost_limb(
    edges: np.ndarray, frames: int, count: int, rng: np.random.Generator
) -> Bool[np.ndarray, "t j"]:
    """A leaf and what hangs together with it for a few joints, for some time."""
    near: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges.tolist():
        near[a].append(b)
        near[b].append(a)
    leaves = [joint for joint in range(count) if len(near[joint]) == 1] or list(range(count))
    joint = leaves[int(rng.integers(len(leaves)))]
    limb = [joint]
    while len(limb) < 5 and len(near[joint]) <= 2:
        ahead = [other for other in near[joint] if other not in limb]
        if not ahead:
            break
        joint = ahead[0]
        limb.append(joint)
    begin, end = sorted(rng.integers(0, frames + 1, 2).tolist())
    lost = np.zeros((frames, count), bool)
    lost[begin : max(end, begin + 1), limb] = True
    return lost


def _swap_sides(xy: np.ndarray, sides: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Some left joints change places with right ones for some frames, in place; returns which."""
    left, right = np.flatnonzero(sides < 0), np.flatnonzero(sides > 0)
    pairs = min(len(left), len(right))
    frames = len(xy)
    wrong = np.zeros(xy.shape[:2], bool)
    if not pairs:
        return wrong
    chosen = rng.permutation(pairs)[: int(rng.integers(1, pairs + 1))]
    begin = int(rng.integers(0, frames))
    rows = slice(begin, begin + int(rng.integers(1, max(2, frames // 3))))
    a, b = left[chosen], right[chosen]
    swapped = xy[rows, a].copy()
    xy[rows, a], xy[rows, b] = xy[rows, b], swapped
    wrong[rows, a] = wrong[rows, b] = True
    return wrong


def _merged(xy: np.ndarray, edges: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Some joints half way along a bone to a neighbour, as trackers label parts, not ends."""
    found = xy.copy()
    for a, b in edges[rng.random(len(edges)) < 0.2].tolist():
        found[:, b] = (found[:, a] + found[:, b]) / 2
    return found


def _other_edges(edges: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Some edges gone, some new ones."""
    kept = edges[rng.random(len(edges)) > 0.1]
    extra = rng.integers(0, count, (int(rng.integers(0, 4)), 2))
    extra = extra[extra[:, 0] != extra[:, 1]]
    return np.concatenate([kept, extra]).astype(np.int64)
