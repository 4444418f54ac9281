"""A cloud that is easy to recognise, and what could classify it."""

from __future__ import annotations

import numpy as np

from app.viewer.interfaces import Explanation
from data.clouds import PointCloud

TOWARDS = np.array([0.6, -1.0, 0.45])
"""To where a page's camera stands at first, in the axes of a cloud with z up."""


class StubPredictor:
    """Certain that what is flat is a table and all else a chair, and able to say why: for what lies
    nearest to the camera."""

    labels = ("chair", "table", "lamp", "sofa", "bed", "<car>")

    def __init__(self) -> None:
        self.seen: list[int] = []

    def predict(self, xyz):
        self.seen.append(len(xyz))
        across, up = np.ptp(xyz[:, 0]), np.ptp(xyz[:, 2])
        first = (0.15, 0.7) if up < 0.2 * across else (0.7, 0.15)
        return np.array([[*first, 0.08, 0.04, 0.02, 0.01]])

    def explain(self, xyz):
        nearest = np.argsort(-xyz @ TOWARDS)
        covariances = np.tile(0.02 * np.eye(3), (5, 1, 1))
        return Explanation(xyz[nearest[:5]], covariances, nearest[5:25])


def ball(count: int = 900) -> PointCloud:
    """Points of an ellipsoid with every kind of colour."""
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    rgb = rng.integers(0, 256, (count, 3)).astype(np.uint8)
    labels = (normals[:, 2] > 0).astype(np.int64) + 3
    return PointCloud(normals * (1.0, 0.7, 0.5), rgb, normals, labels)
