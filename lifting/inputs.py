"""Tracks as the model sees them: centred in each frame, one size for the clip, gaps filled and
marked; and batches of clips of different numbers of joints and frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Int64
from torch import Tensor

from lifting.graphs import STRUCTURE, Graph, graph_of

POINT = 6
"""Numbers of a joint in a frame beside its place's Fourier features: x, y, their change, seen,
confidence."""
JOINT = 9 + STRUCTURE
"""Numbers of a joint in a whole clip."""
FRAME = 4
"""Numbers of a frame: where its middle is, how large it is, and how much of it was seen."""
PAIR = 4
"""Numbers of a pair of joints: mean, least, largest distance in the pictures and its deviation."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A clip of tracks in the units of the model."""

    place: Float32[np.ndarray, "t j 2"]
    """Relative to the frame's middle, over `size`; filled where nothing was seen."""
    point: Float32[np.ndarray, "t j p"]
    joint: Float32[np.ndarray, "j q"]
    frame: Float32[np.ndarray, "t f"]
    pair: Float32[np.ndarray, "j j r"]
    near: Bool[np.ndarray, "j j"]
    steps: Int64[np.ndarray, "j j"]
    sides: Float32[np.ndarray, "j"]
    """-1 left, 1 right, 0 in the middle or unknown."""
    across: Bool[np.ndarray, "j j"]
    times: Int64[np.ndarray, "t"]
    middle: Float32[np.ndarray, "t 2"]
    """Of each frame, relative to that of the clip, over `size`."""
    origin: Float32[np.ndarray, "2"]
    size: float
    """In units of the tracks."""


@dataclass(frozen=True, eq=False)
class LiftInputs:
    """A batch, padded with zeros."""

    place: Float[Tensor, "b t j 2"]
    point: Float[Tensor, "b t j p"]
    joint: Float[Tensor, "b j q"]
    frame: Float[Tensor, "b t f"]
    pair: Float[Tensor, "b j j r"]
    near: Bool[Tensor, "b j j"]
    steps: Int[Tensor, "b j j"]
    sides: Float[Tensor, "b j"]
    across: Bool[Tensor, "b j j"]
    times: Int[Tensor, "b t"]
    middle: Float[Tensor, "b t 2"]
    joint_mask: Bool[Tensor, "b j"]
    frame_mask: Bool[Tensor, "b t"]

    def to(self, device: torch.device | str) -> LiftInputs:
        moved = {f.name: getattr(self, f.name).to(device) for f in fields(self)}
        return LiftInputs(**moved)


def prepare(
    xy: Float[np.ndarray, "t j 2"],
    confidence: Float[np.ndarray, "t j"] | None,
    edges: Int64[np.ndarray, "e 2"] | Graph,
    times: Int64[np.ndarray, "t"] | None = None,
) -> Prepared:
    """Tracks in the units of the model. ValueError where no frame shows two different points."""
    seen = np.asarray(np.isfinite(xy).all(axis=2))
    graph = edges if isinstance(edges, Graph) else graph_of(edges, xy.shape[1])
    full = fill(xy, seen, graph.near)
    middle = full.mean(axis=1)
    place = full - middle[:, None]
    spread = np.sqrt((place**2).sum(axis=2).mean(axis=1))
    size = float(np.median(spread))
    if not (np.isfinite(size) and size > 0):
        raise ValueError("expected points apart from each other, found all in one place")
    place = place / size
    origin = middle.mean(axis=0)
    middle = (middle - origin) / size
    trust = seen.astype(float) if confidence is None else np.where(seen, confidence, 0.0)
    change = np.gradient(place, axis=0) if len(place) > 1 else np.zeros_like(place)
    point = np.concatenate([place, change, seen[..., None].astype(float), trust[..., None]], axis=2)
    apart = pair_numbers(place)
    frame = np.concatenate(
        [middle, np.log(np.maximum(spread / size, 1e-3))[:, None], seen.mean(axis=1)[:, None]],
        axis=1,
    )
    f32 = np.float32
    return Prepared(
        place.astype(f32),
        point.astype(f32),
        _joint_numbers(place, seen, apart, graph).astype(f32),
        frame.astype(f32),
        apart.astype(f32),
        graph.near,
        graph.steps,
        graph.symmetry.sides.astype(f32),
        graph.symmetry.across,
        np.arange(len(xy)) if times is None else times,
        middle.astype(f32),
        origin.astype(f32),
        size,
    )


def fill(
    xy: Float[np.ndarray, "t j 2"], seen: Bool[np.ndarray, "t j"], near: Bool[np.ndarray, "j j"]
) -> Float[np.ndarray, "t j 2"]:
    """Tracks without gaps: along time between frames in which a joint is seen; a joint never seen
    lies in the middle of its neighbours."""
    full = np.where(seen[..., None], xy, 0.0).astype(np.float64)
    times = np.arange(len(full))
    ever = seen.any(axis=0)
    for joint in np.flatnonzero(ever & ~seen.all(axis=0)):
        rows = seen[:, joint]
        for axis in range(2):
            full[:, joint, axis] = np.interp(times, times[rows], full[rows, joint, axis])
    known = ever.copy()
    while known.any() and not known.all():
        weights = (near & known[None, :] & ~known[:, None]).astype(float)
        reach = weights.sum(axis=1) > 0
        if not reach.any():  # no edge leads there: the middle of all
            full[:, ~known] = full[:, known].mean(axis=1, keepdims=True)
            break
        weights = weights[reach] / weights[reach].sum(axis=1, keepdims=True)
        full[:, reach] = np.einsum("kj,tjc->tkc", weights, full)
        known |= reach
    return full


def pair_numbers(place: Float[np.ndarray, "t j 2"]) -> Float[np.ndarray, "j j r"]:
    """Of each pair of joints, over the clip: mean, least and largest distance in the pictures, and
    its deviation. What is rigid never comes farther apart than it is long."""
    apart = np.linalg.norm(place[:, :, None] - place[:, None], axis=3)
    return np.stack(
        [apart.mean(axis=0), apart.min(axis=0), apart.max(axis=0), apart.std(axis=0)], axis=2
    )


def _joint_numbers(
    place: np.ndarray, seen: np.ndarray, apart: np.ndarray, graph: Graph
) -> Float[np.ndarray, "j q"]:
    """Where a joint is on average, how much it moves, how long its edges look, how often it is
    seen, and its place in the skeleton."""
    mean, std = place.mean(axis=0), place.std(axis=0)
    alone = graph.near & ~np.eye(len(apart), dtype=bool)
    weights = alone / np.maximum(alone.sum(axis=1), 1)[:, None]
    edges = np.einsum("jk,jkr->jr", weights, apart)
    return np.concatenate([mean, std, edges, seen.mean(axis=0)[:, None], graph.structure], axis=1)


def collate(clips: Sequence[Prepared]) -> LiftInputs:
    """A batch of clips, padded to the most joints and frames of any."""
    frames = max(len(clip.place) for clip in clips)
    joints = max(clip.place.shape[1] for clip in clips)
    shapes = {
        "place": (frames, joints, 2),
        "point": (frames, joints, POINT),
        "joint": (joints, JOINT),
        "frame": (frames, FRAME),
        "pair": (joints, joints, PAIR),
        "near": (joints, joints),
        "steps": (joints, joints),
        "sides": (joints,),
        "across": (joints, joints),
        "times": (frames,),
        "middle": (frames, 2),
    }
    batch: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        first = getattr(clips[0], name)
        whole = np.zeros((len(clips), *shape), first.dtype)
        for row, clip in zip(whole, clips, strict=True):
            part = getattr(clip, name)
            row[tuple(slice(0, n) for n in part.shape)] = part
        batch[name] = torch.from_numpy(whole)
    counts = torch.tensor([clip.place.shape[:2] for clip in clips])
    return LiftInputs(
        joint_mask=torch.arange(joints) < counts[:, 1:],
        frame_mask=torch.arange(frames) < counts[:, :1],
        **batch,
    )
