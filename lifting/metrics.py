"""Errors of a lifted motion, each after the best alignment to the truth.

The alignment is a proper rotation, one scale and a translation: no mirror image, no depth flip
chosen by the truth. FA aligns each frame, SA the whole sequence once (arXiv 2412.01166). A frame's
error is the mean distance of its joints over the diagonal of the truth's box in that frame, so that
mice and elephants count alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64


@dataclass(frozen=True)
class Errors:
    """Of one clip; fractions of the diagonal, or in units of the truth where the name says so."""

    fa_mpjpe: float
    sa_mpjpe: float
    sa_mpve: float
    """Of the differences between frames, under the alignment of the sequence."""
    fa_mpjpe_unscaled: float
    """Without scale: for an answer that claims a size."""
    sa_mpjpe_unscaled: float
    fa_mpjpe_units: float
    """In units of the truth, with scale."""


def errors(found: Float64[np.ndarray, "t j 3"], truth: Float64[np.ndarray, "t j 3"]) -> Errors:
    """All errors of a clip. ValueError for shapes that differ and numbers that are not finite."""
    found, truth = np.asarray(found, np.float64), np.asarray(truth, np.float64)
    if found.shape != truth.shape or found.ndim != 3 or found.shape[2] != 3:
        raise ValueError(f"expected two clips of one shape (t, j, 3): {found.shape}, {truth.shape}")
    if not (np.isfinite(found).all() and np.isfinite(truth).all()):
        raise ValueError("expected finite points")
    size = diagonals(truth)
    framewise = distances(aligned_frames(found, truth), truth)
    whole = aligned_sequence(found, truth)
    velocity = np.linalg.norm(np.diff(whole, axis=0) - np.diff(truth, axis=0), axis=2)
    rigid = distances(aligned_frames(found, truth, scaled=False), truth)
    return Errors(
        fa_mpjpe=float((framewise.mean(axis=1) / size).mean()),
        sa_mpjpe=float((distances(whole, truth).mean(axis=1) / size).mean()),
        sa_mpve=float((velocity.mean(axis=1) / size[1:]).mean()) if len(truth) > 1 else 0.0,
        fa_mpjpe_unscaled=float((rigid.mean(axis=1) / size).mean()),
        sa_mpjpe_unscaled=float(
            (
                distances(aligned_sequence(found, truth, scaled=False), truth).mean(axis=1) / size
            ).mean()
        ),
        fa_mpjpe_units=float(framewise.mean()),
    )


def procrustes(
    found: Float64[np.ndarray, "*n p 3"],
    truth: Float64[np.ndarray, "*n p 3"],
    scaled: bool = True,
) -> tuple[Float64[np.ndarray, "*n 3 3"], Float64[np.ndarray, "*n"], Float64[np.ndarray, "*n 3"]]:
    """Rotation R, scale s and translation t that bring s R p + t nearest to the truth in the sense
    of least squares (Umeyama 1991); R is a proper rotation."""
    middle, goal = found.mean(axis=-2, keepdims=True), truth.mean(axis=-2, keepdims=True)
    p, q = found - middle, truth - goal
    u, stretch, vt = np.linalg.svd(np.swapaxes(q, -1, -2) @ p)
    proper = np.ones(stretch.shape)
    proper[..., 2] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    proper[..., 2] = np.where(proper[..., 2] == 0, 1.0, proper[..., 2])
    rotation = (u * proper[..., None, :]) @ vt
    spread = (p**2).sum(axis=(-2, -1))
    scale = np.ones(spread.shape)
    if scaled:
        scale = (stretch * proper).sum(axis=-1) / np.where(spread > 0, spread, 1.0)
    turned = scale[..., None] * (rotation @ middle[..., 0, :, None])[..., 0]
    return rotation, scale, goal[..., 0, :] - turned


def transformed(
    points: Float64[np.ndarray, "*n p 3"], rotation: np.ndarray, scale: np.ndarray, t: np.ndarray
) -> Float64[np.ndarray, "*n p 3"]:
    """s R p + t."""
    return scale[..., None, None] * points @ np.swapaxes(rotation, -1, -2) + t[..., None, :]


def aligned_frames(found: np.ndarray, truth: np.ndarray, scaled: bool = True) -> np.ndarray:
    """Each frame brought to the truth by itself."""
    return transformed(found, *procrustes(found, truth, scaled))


def aligned_sequence(found: np.ndarray, truth: np.ndarray, scaled: bool = True) -> np.ndarray:
    """All frames brought to the truth together."""
    flat = procrustes(found.reshape(-1, 3), truth.reshape(-1, 3), scaled)
    return transformed(found.reshape(-1, 3), *flat).reshape(found.shape)


def diagonals(xyz: Float64[np.ndarray, "t j 3"]) -> Float64[np.ndarray, "t"]:
    """Diagonal of the box around the joints of each frame; ValueError where they coincide."""
    size = np.linalg.norm(np.ptp(xyz, axis=1), axis=1)
    if not (size > 0).all():
        raise ValueError("expected joints apart from each other, found a frame where they coincide")
    return size


def distances(a: np.ndarray, b: np.ndarray) -> Float64[np.ndarray, "t j"]:
    """Between the same joints of two clips."""
    return np.linalg.norm(a - b, axis=2)


def coverage(
    found: np.ndarray, truth: np.ndarray, radius: Float64[np.ndarray, "t j"]
) -> tuple[float, Bool[np.ndarray, "t j"]]:
    """Share of joints whose error, frames aligned, lies within `radius` (in units of `found`)."""
    _, scale, _ = procrustes(found, truth)
    error = distances(aligned_frames(found, truth), truth)
    inside = error <= radius * scale[:, None]
    return float(inside.mean()), inside


def bone_spread(xyz: np.ndarray, edges: np.ndarray) -> float:
    """How much bones change their length: largest less smallest over the median, the worst bone."""
    lengths = np.linalg.norm(xyz[:, edges[:, 0]] - xyz[:, edges[:, 1]], axis=2)
    return float((np.ptp(lengths, axis=0) / np.median(lengths, axis=0)).max())
