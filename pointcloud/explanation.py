"""Why a 3DGPE said what it said: its Gaussians, and the points that gave the maxima.

A feature is the maximum over points of b + sum_k W_k g_k(x), so one point decides it; a Gaussian
matters there by |W_k| g_k(x). Both are summed over features, and put back into the frame that the
cloud came in: x' = (x - c) / r A, with the T-Net's A, is undone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from pointcloud.config import GaussianNetConfig
from pointcloud.cpu.classifier import CpuClassifier
from pointcloud.cpu.stored_layers import lower_triangles
from pointcloud.grouping import frame_of, normalised, rows_kept
from pointcloud.stored import StoredClassifier

_COLUMNS = 64
"""Features whose maxima are sought together."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """What decided, in the frame and units of the cloud."""

    means: Float[np.ndarray, "k 3"]
    """Of the Gaussians, those that mattered most first."""
    covariances: Float[np.ndarray, "k 3 3"]
    indices: Int64[np.ndarray, "m"]
    """Points that gave a maximum, those that gave most first."""


def explained(
    stored: StoredClassifier, model: CpuClassifier, xyz: Float[np.ndarray, "n 3"]
) -> Explanation:
    """Of a 3DGPE and one cloud."""
    assert isinstance(stored.config, GaussianNetConfig)
    kept = rows_kept(len(xyz), stored.config.points)
    centre, radius = frame_of(xyz[kept])
    cut = normalised(xyz, stored.config.points)
    (turn,) = model.turns([cut])
    seen = (cut @ turn).astype(np.float64)
    back = radius * np.linalg.pinv(turn.astype(np.float64))
    weights = stored.weights
    means = weights["encoder.means"].astype(np.float64)
    factors = lower_triangles(weights["encoder.triangles"], stored.config.encoder.shape)
    mixer = weights["encoder.mixer.weight"]
    away = np.einsum("kij,nki->nkj", factors, seen[:, None] - means)
    responses = np.exp(-0.5 * (away * away).sum(2))
    winners = np.concatenate(
        [
            (responses @ mixer[first : first + _COLUMNS].T).argmax(0)
            for first in range(0, len(mixer), _COLUMNS)
        ]
    )
    weight = (np.abs(mixer) * responses[winners]).sum(0)
    order = np.argsort(-weight, kind="stable")
    inverses = np.linalg.pinv(factors[order])
    sigmas = inverses.transpose(0, 2, 1) @ inverses
    points, times = np.unique(winners, return_counts=True)
    return Explanation(
        means[order] @ back + centre,
        back.T @ sigmas @ back,
        kept[points[np.argsort(-times, kind="stable")]],
    )
