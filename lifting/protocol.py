"""What is trained on and what is measured: rigs kept apart by family, cameras drawn once.

The table of docs/lifting.md is made by this file and no other. Unseen rigs are never looked at
while anything is chosen: choices are made on the selection rigs, which are not trained on either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from lifting.cameras import View, framed, look_from
from lifting.clips import RigClips, families, windows
from lifting.rigidity import infer_edges
from lifting.symmetry import Symmetry, unknown

UNSEEN = (
    "0ad_fauna__elephant_african_bush",
    "0ad_fauna__elephant_african_forest",
    "0ad_fauna__elephant_asian",
    "0ad_fauna__elephant_infant",
    "0ad_fauna__camel",
    "0ad_fauna__lion",
    "0ad_fauna__shark",
    "0ad_fauna__crow",
    "0ad_fauna__hawk",
    "0ad_fauna__seagull",
    "animalia__cat",
    "animalia__fox",
    "animalia__opossum",
    "animalia__rat",
    "animalia__wolf",
    "quaternius_animals__alpaca",
    "quaternius_animals__deer",
)
SELECTION = ("0ad_fauna__tiger", "quaternius_animals__stag", "animalia__owl")
"""Large, middle and small; each the only rig of its family."""
Split = Literal["train", "selection", "unseen"]
HELD_OUT = 5
"""Of a family's movements, every fifth is kept for the row of seen rigs, and not trained on."""
FRAMES = 48


@dataclass(frozen=True, eq=False)
class TestClip:
    """One clip through one camera."""

    __test__ = False  # no test of pytest's
    rig: str
    category: str
    clip: str
    view: View
    truth: Float64[np.ndarray, "t j 3"]
    """In the world."""
    edges: Int64[np.ndarray, "e 2"]
    symmetry: Symmetry


def split(rigs: Sequence[RigClips], which: Split) -> list[RigClips]:
    """The rigs of a part; ValueError where a family would stand on two sides."""
    side = {rig.name: _side(rig.name) for rig in rigs}
    for family in families(rigs).values():
        if len({side[rig.name] for rig in family}) > 1:
            names = ", ".join(rig.name for rig in family)
            raise ValueError(f"expected a family of rigs on one side of the split, found {names}")
    return [rig for rig in rigs if side[rig.name] == which]


def _side(name: str) -> Split:
    if name in UNSEEN:
        return "unseen"
    return "selection" if name in SELECTION else "train"


def held_out_clips(rigs: Sequence[RigClips]) -> dict[str, tuple[list[int], list[int]]]:
    """Of each rig, by name: numbers of the clips to train on, and of those held out. Clips that
    show nearly the same movement stand on one side, in all rigs of a family."""
    found: dict[str, tuple[list[int], list[int]]] = {rig.name: ([], []) for rig in rigs}
    for family in families(rigs).values():
        for place, group in enumerate(_alike(family)):
            for name, k in group:
                found[name][place % HELD_OUT == 1].append(k)
    return {name: (sorted(kept), sorted(held)) for name, (kept, held) in found.items()}


def training_rigs(rigs: Sequence[RigClips], with_selection: bool = False) -> list[RigClips]:
    """The rigs to train on, without the clips that are held out of them; once all is chosen, those
    that choices were made on, too."""
    train = split(rigs, "train")
    if with_selection:
        train += split(rigs, "selection")
    kept = {name: clips for name, (clips, _) in held_out_clips(train).items()}
    return [
        replace(rig, clips=tuple(rig.clips[k] for k in kept[rig.name]))
        for rig in train
        if kept[rig.name]
    ]


def _alike(family: Sequence[RigClips]) -> list[list[tuple[str, int]]]:
    """Clips (of which rig, which one) of one name, or whose poses differ by less than a hundredth
    of the animal, together."""
    groups: list[list[tuple[str, int]]] = []
    shown: list[tuple[set[str], list[np.ndarray]]] = []
    for rig in family:
        for k, clip in enumerate(rig.clips):
            near = clip.xyz - clip.xyz.mean(axis=1, keepdims=True)
            pose = near[[0, len(near) // 2, -1]] / clip.diagonal
            movement = clip.name.rpartition("/")[2].lower()
            for group, (names, poses) in zip(groups, shown, strict=True):
                if movement in names or any(np.abs(pose - other).mean() < 0.01 for other in poses):
                    group.append((rig.name, k))
                    names.add(movement)
                    poses.append(pose)
                    break
            else:
                groups.append([(rig.name, k)])
                shown.append(({movement}, [pose]))
    return groups


def still_camera_clips(
    rigs: Sequence[RigClips],
    seed: int,
    views: int = 2,
    elevation_rad: tuple[float, float] = (0.0, 0.0),
    clips: dict[str, list[int]] | None = None,
    frames: int = FRAMES,
) -> list[TestClip]:
    """Windows of `frames` frames of every clip, each through `views` still perspective cameras of
    any azimuth that frame the clip, as AnimalSyn3D sets them."""
    rng = np.random.default_rng(seed)
    found = []
    for rig in rigs:
        chosen = range(len(rig.clips)) if clips is None else clips[rig.name]
        for k in chosen:
            for window in windows(rig.clips[k], frames):
                for _ in range(views):
                    azimuth, elevation = rng.uniform(0, 2 * np.pi), rng.uniform(*elevation_rad)
                    up = np.array(window.up)
                    view = framed(window.xyz, look_from(azimuth, elevation, 0.0, up), up)
                    skeleton = rig.skeleton
                    found.append(
                        TestClip(
                            rig.name,
                            rig.name.rpartition("__")[2],
                            window.name,
                            view,
                            window.xyz,
                            skeleton.edges,
                            rig.symmetry,
                        )
                    )
    return found


def without_edges(clips: Sequence[TestClip], rigs: Sequence[RigClips]) -> list[TestClip]:
    """The same as from a file that holds none, as most do: edges are found from tracks and names of
    joints."""
    names = {rig.name: rig.skeleton.names for rig in rigs}
    return [replace(clip, edges=infer_edges(clip.view.xy, names[clip.rig])) for clip in clips]


def without_names(clips: Sequence[TestClip]) -> list[TestClip]:
    """The same with names that do not tell left from right."""
    return [replace(clip, symmetry=unknown(clip.truth.shape[1])) for clip in clips]


def hide(
    xy: Float64[np.ndarray, "t j 2"], share: float, rng: np.random.Generator
) -> Float64[np.ndarray, "t j 2"]:
    """Tracks with a share of their points hidden, each for about a third of a clip of 48 frames on
    end; at least three stay in each frame."""
    frames, joints = xy.shape[:2]
    wanted = round(share * frames * joints)
    hidden = np.zeros((frames, joints), bool)
    while hidden.sum() < wanted:
        joint, begin = int(rng.integers(joints)), int(rng.integers(-15, frames))
        rows = np.arange(max(0, begin), min(frames, begin + 16))
        rows = rows[(~hidden[rows]).sum(axis=1) > 3]
        hidden[rows[: max(0, wanted - int(hidden.sum()))], joint] = True
    found = xy.copy()
    found[hidden] = np.nan
    return found


def mean_over_rigs(values: Sequence[float], rigs: Sequence[str]) -> float:
    """The mean of each rig's mean, so that rigs with many clips count no more than others."""
    by_rig: dict[str, list[float]] = {}
    for value, rig in zip(values, rigs, strict=True):
        by_rig.setdefault(rig, []).append(value)
    return float(np.mean([np.mean(found) for found in by_rig.values()]))


def bootstrap_over_rigs(
    values: Sequence[float], rigs: Sequence[str], rng: np.random.Generator, draws: int = 2000
) -> tuple[float, float]:
    """The interval that holds 95 % of the means over rigs drawn with replacement."""
    names = list(dict.fromkeys(rigs))
    means = np.array(
        [np.mean([v for v, rig in zip(values, rigs, strict=True) if rig == name]) for name in names]
    )
    found = means[rng.integers(0, len(names), (draws, len(names)))].mean(axis=1)
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)
