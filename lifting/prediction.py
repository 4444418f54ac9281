"""Tracks of any length through the model: windows of the frames it was trained on, blended.

Frames far apart say more than frames close by, so a window takes every `stride`-th frame; the
frames between are windows of their own, and all are put together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64

from lifting.graphs import graph_of
from lifting.inputs import Prepared, collate, prepare
from lifting.model import Lifter
from lifting.symmetry import Symmetry

_TOKENS = 24_000
"""Joints x frames that go through the model at once."""


@dataclass(frozen=True)
class WindowConfig:
    """How a sequence is cut."""

    frames: int = 8
    """As many as the clips that the lifters of the package learnt from."""
    stride: int = 6
    overlap: int = 2
    """Frames that two windows share."""
    steady: int = 4
    """Frames to either side over which depths are averaged, the far ones less: neighbours come from
    other windows, and one picture has no say about the noise of its depth."""


FRAME_BY_FRAME = WindowConfig(frames=1, stride=1, overlap=0, steady=0)
"""No picture knows of another, but for the camera, which all share."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """In units of the tracks, in the camera's axes; depth around zero."""

    xyz: Float64[np.ndarray, "t j 3"]
    radius: Float64[np.ndarray, "t j"]
    """Within which a joint lies in 68 of 100 cases."""
    up: Float64[np.ndarray, "3"]
    nearness: float
    """One unit of the tracks over the distance of the camera; 0 for weak perspective."""
    origin: Float64[np.ndarray, "2"]
    """What in the tracks is x = y = 0."""

    @property
    def xy(self) -> Float64[np.ndarray, "t j 2"]:
        """Where the joints fall in the picture."""
        return self.xyz[..., :2] / _away(self.xyz, self.nearness) + self.origin


def predict(
    model: Lifter,
    xy: Float[np.ndarray, "t j 2"],
    confidence: Float[np.ndarray, "t j"] | None,
    edges: Int64[np.ndarray, "e 2"],
    config: WindowConfig = WindowConfig(),
    symmetry: Symmetry | None = None,
) -> Prediction:
    """Places of all joints in all frames; `symmetry` is what their names say. ValueError where all
    points lie in one place."""
    graph = graph_of(edges, xy.shape[1], symmetry)
    whole = prepare(xy, confidence, graph)
    cuts = cut(len(xy), config)
    windows = [
        prepare(xy[rows], None if confidence is None else confidence[rows], graph)
        if differs(xy[rows])
        else None
        for rows in cuts
    ]
    chosen = [(rows, w) for rows, w in zip(cuts, windows, strict=True) if w is not None]
    found = _through(model, [w for _, w in chosen])
    joints = xy.shape[1]
    total = np.zeros((len(xy), joints, 3))  # where in the picture, and depth
    radius, weight = np.zeros((len(xy), joints)), np.zeros(len(xy))
    up, nearness = np.zeros(3), 0.0
    for (rows, window), (points, within, gravity, near) in zip(chosen, found, strict=True):
        scale = window.size
        points = points * scale
        points[..., :2] += window.origin - whole.origin
        points[..., 2] -= points[..., 2].mean()
        known = weight[rows] > 0
        if known.any():  # depth has no zero of its own: that of the frames already there
            before = total[rows][known] / weight[rows][known][:, None, None]
            points[..., 2] += (before[..., 2] - points[known][..., 2]).mean()
        share = _blend(len(rows))
        total[rows] += share[:, None, None] * points
        radius[rows] += share[:, None] * within * scale
        weight[rows] += share
        up += gravity
        nearness += near / scale / len(chosen)
    empty = weight == 0
    weight[empty] = 1.0
    xyz = total / weight[:, None, None]
    if empty.any():
        xyz[empty] = _between(xyz, ~empty)[empty]
    xyz[..., :2] *= _away(xyz, nearness)  # one camera for all windows: points stay where they fell
    xyz = steadied(xyz, nearness, config.steady)
    size = np.linalg.norm(up)
    up = up / size if size > 0 else np.array([0.0, -1.0, 0.0])
    return Prediction(xyz, radius / weight[:, None], up, nearness, whole.origin.astype(np.float64))


def steadied(
    xyz: Float64[np.ndarray, "t j 3"], nearness: float, reach: int
) -> Float64[np.ndarray, "t j 3"]:
    """Depths averaged over `reach` frames to either side; each point stays where it is seen."""
    reach = min(reach, len(xyz) - 1)
    if reach < 1:
        return xyz
    kernel = np.hanning(2 * reach + 3)[1:-1]
    depth = np.pad(xyz[..., 2], ((reach, reach), (0, 0)), "edge")
    near = np.lib.stride_tricks.sliding_window_view(depth, len(kernel), axis=0)
    found = np.concatenate([xyz[..., :2], (near @ (kernel / kernel.sum()))[..., None]], axis=2)
    found[..., :2] *= _away(found, nearness) / _away(xyz, nearness)
    return found


def _away(xyz: Float64[np.ndarray, "t j 3"], nearness: float) -> Float64[np.ndarray, "t j 1"]:
    """Distances from the camera over that of the animal's middle."""
    return np.maximum(1 + nearness * xyz[..., 2:], 0.2)


def cut(length: int, config: WindowConfig) -> list[Int64[np.ndarray, "w"]]:
    """Frames of each window; every frame stands in one at least, neighbours in time come after one
    another.

    >>> [rows.tolist() for rows in cut(7, WindowConfig(frames=3, stride=2, overlap=1))]
    [[0, 2, 4], [2, 4, 6], [1, 3, 5]]
    """
    stride = max(1, min(config.stride, length // max(2, config.frames // 2)))
    found = []
    for phase in range(stride):
        rows = np.arange(phase, length, stride)
        if len(rows) <= config.frames:
            found.append(rows)
            continue
        step = config.frames - config.overlap
        starts = np.arange(0, len(rows) - config.overlap, step)
        starts = np.unique(np.minimum(starts, len(rows) - config.frames))
        found += [rows[start : start + config.frames] for start in starts]
    return [rows for rows in found if len(rows)]


@torch.no_grad()
def _through(
    model: Lifter, windows: list[Prepared]
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    device = next(model.parameters()).device
    joints = windows[0].place.shape[1] if windows else 1
    most = max(1, _TOKENS // (joints * max((len(w.place) for w in windows), default=1)))
    found = []
    for first in range(0, len(windows), most):
        part = windows[first : first + most]
        out = model(collate(part).to(device))
        for k, window in enumerate(part):
            t = len(window.place)
            found.append(
                (
                    torch.cat([out.rays[k, :t], out.xyz[k, :t, :, 2:]], -1).double().cpu().numpy(),
                    out.radius[k, :t].double().cpu().numpy(),
                    out.up[k].double().cpu().numpy(),
                    float(out.nearness[k]),
                )
            )
    return found


def _blend(frames: int) -> Float64[np.ndarray, "t"]:
    """Weights of a window's frames, least at its ends, where it has seen least."""
    place = (np.arange(frames) + 0.5) / frames
    return np.minimum(place, 1 - place) + 0.02


def differs(xy: Float[np.ndarray, "t j 2"]) -> bool:
    """Whether two different points are seen."""
    seen = xy[np.isfinite(xy).all(axis=2)]
    return len(seen) > 1 and bool((np.ptp(seen, axis=0) > 0).any())


def _between(xyz: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Frames without an answer of their own, along straight lines in time."""
    times = np.arange(len(xyz))
    flat = xyz.reshape(len(xyz), -1)
    rows = [np.interp(times, times[known], column[known]) for column in flat.T]
    return np.stack(rows, axis=1).reshape(xyz.shape)
