"""Training batches: the clips of a step follow from the seed and the step's number alone, so that a
training can be resumed anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from data.motion import Motion
from lifting.augment import AugmentConfig, Joints, augment_rig, spoil
from lifting.cameras import ViewConfig, random_view
from lifting.clips import RigClips, quickly_resampled
from lifting.config import LiftFitConfig
from lifting.graphs import Graph, graph_of
from lifting.inputs import LiftInputs, Prepared, collate, prepare
from lifting.losses import Truth
from lifting.motions import random_motion
from lifting.random_rigs import random_rig
from lifting.rigidity import infer_edges
from lifting.symmetry import Symmetry, symmetry_of, unknown

_CAPS = {13: 0.15, 18: 0.2, 26: 0.2, 36: 0.2, 56: 0.25}
"""Most joints of a batch and how often; few joints make many clips, but rigs of many are to be seen
whole, as they are when they are lifted."""
_MOST_CLIPS = 128
"""Of a step: to make more, of a few frames each, would take longer than to learn from them."""
_SPAN = 64.0
"""Frames of the source that a clip spans at most, however few it has of them: neighbours that are
nearly the same say little."""
_AROUND = 8
"""Frames beyond a part that its interpolation looks at: others weigh less than 1e-4."""
_UNCHANGED = AugmentConfig(
    stretch=0, bend=0, drop=0, merge=0, edges=0, inferred=0, nameless=0, clean=1
)


@dataclass(frozen=True, eq=False)
class Example:
    """One clip: what the model is given and what it is to find."""

    prepared: Prepared
    xyz_cam: np.ndarray
    xy: np.ndarray
    """Before it was spoilt, in units of the tracks."""
    up_cam: np.ndarray


def batch_of_step(
    rigs: Sequence[RigClips], config: LiftFitConfig, step: int
) -> tuple[LiftInputs, Truth]:
    """The batch of a step."""
    return joined(examples_of_step(rigs, config, step))


def examples_of_step(rigs: Sequence[RigClips], config: LiftFitConfig, step: int) -> list[Example]:
    """The clips of a step: parts of movements of rigs from disk or generated ones, each as another
    animal, seen from a few sides."""
    rng = np.random.default_rng([config.seed, 7, step])
    caps = list(_CAPS)
    cap = int(rng.choice(caps, p=list(_CAPS.values())))
    frames = config.frames
    if frames > 1:
        kind = rng.random()
        if kind < config.single:
            frames = 1
        elif kind < config.single + config.short:
            frames = int(rng.integers(1, frames))
    count = min(_MOST_CLIPS, max(1, round(config.tokens / (frames * cap))))
    found: list[Example] = []
    while len(found) < count:
        source, symmetry = _source(rigs, config, rng)
        augment = _UNCHANGED
        if config.augment:
            augment = AugmentConfig(
                stretch=config.stretch,
                bend=config.bend,
                angle=config.angle,
                inferred=config.inferred,
            )
        part = _part(source.xyz, frames, rng)
        joints = augment_rig(part, source.skeleton, rng, augment, cap, symmetry)
        graph = graph_of(joints.edges, joints.xyz.shape[1], joints.symmetry)
        up = np.array(source.up)
        views = (seen(joints, graph, up, augment, rng) for _ in range(config.views))
        found += [example for example in views if example is not None]
    return found[:count]


def _source(
    rigs: Sequence[RigClips], config: LiftFitConfig, rng: np.random.Generator
) -> tuple[Motion, Symmetry]:
    """A movement, and the sides of its animal."""
    if not rigs or rng.random() < config.generated:
        frames = int(max(1.5 * config.frames, _SPAN * rng.uniform(0.375, 0.875)))
        motion = random_motion(random_rig(rng), rng, frames=frames)
        return motion, symmetry_of(motion.skeleton.names)
    rig = rigs[int(rng.integers(len(rigs)))]
    return rig.clips[_by_length(rig, rng)], rig.symmetry


def seen(
    joints: Joints,
    graph: Graph,
    up: np.ndarray,
    augment: AugmentConfig,
    rng: np.random.Generator,
) -> Example | None:
    """An animal in motion through a camera; None where the picture would be a single point."""
    view = random_view(joints.xyz, up, rng, ViewConfig())
    tracks = spoil(view.xy, joints, rng, augment)
    nameless = rng.random() < augment.nameless
    if nameless:
        graph = replace(graph, symmetry=unknown(len(graph.near)))
    if rng.random() < augment.inferred:
        names = () if nameless else joints.names
        graph = graph_of(infer_edges(tracks.xy, names), len(graph.near), graph.symmetry)
    try:
        prepared = prepare(tracks.xy, tracks.confidence, graph)
    except ValueError:
        return None
    extent = np.ptp(view.xyz_cam, axis=1)
    if np.linalg.norm(extent, axis=1).min() <= 1e-6 * np.linalg.norm(extent, axis=1).max():
        return None
    return Example(prepared, view.xyz_cam, view.xy, view.up_cam)


def joined(examples: Sequence[Example]) -> tuple[LiftInputs, Truth]:
    """A padded batch; the truth is centred on each clip and of its size, which no error sees."""
    inputs = collate([e.prepared for e in examples])
    shape = tuple(inputs.place.shape[:3])
    xyz = np.zeros((*shape, 3), np.float32)
    rays = np.zeros((*shape, 2), np.float32)
    for k, e in enumerate(examples):
        t, j = e.xy.shape[:2]
        near = e.xyz_cam - e.xyz_cam.mean(axis=(0, 1))
        xyz[k, :t, :j] = near / np.sqrt((near**2).sum(axis=2).mean())
        rays[k, :t, :j] = (e.xy - e.prepared.origin) / e.prepared.size
    up = torch.from_numpy(np.array([e.up_cam for e in examples], np.float32))
    mask = inputs.frame_mask[:, :, None] & inputs.joint_mask[:, None]
    truth = Truth(torch.from_numpy(xyz), torch.from_numpy(rays), up, inputs.near, mask)
    return inputs, truth


def _part(xyz: np.ndarray, frames: int, rng: np.random.Generator) -> np.ndarray:
    """`frames` frames at some speed, from anywhere in a clip, forwards or backwards."""
    longest = (len(xyz) - 1) / max(1, frames - 1)
    step = min(longest, float(np.exp(rng.uniform(0.0, np.log(max(1.0, _SPAN / frames))))))
    begin = rng.uniform(0.0, max(0.0, len(xyz) - 1 - step * (frames - 1)))
    places = np.clip(begin + step * np.arange(frames), 0, len(xyz) - 1)
    first = max(0, int(places[0]) - _AROUND)
    part = quickly_resampled(xyz[first : int(places[-1]) + _AROUND + 2], places - first)
    return part[::-1] if rng.random() < 0.2 else part


def _by_length(rig: RigClips, rng: np.random.Generator) -> int:
    """A clip, long ones more often, by the root of their length."""
    weights = np.sqrt([len(clip) for clip in rig.clips])
    return int(rng.choice(len(rig.clips), p=weights / weights.sum()))
