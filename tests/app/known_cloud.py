"""A cloud that is easy to recognise, and what could classify it."""

from __future__ import annotations

import numpy as np

from app.viewer.interfaces import Explanation
from data.clouds import PointCloud


class StubPredictor:
    """Certain of everything, and able to say why."""

    labels = ("chair", "table", "lamp", "sofa", "bed", "<car>")

    def __init__(self) -> None:
        self.seen: list[int] = []

    def predict(self, xyz):
        self.seen.append(len(xyz))
        return np.array([[0.7, 0.15, 0.08, 0.04, 0.02, 0.01]])

    def explain(self, xyz):
        covariances = np.tile(0.02 * np.eye(3), (5, 1, 1))
        return Explanation(xyz[:5], covariances, np.arange(0, len(xyz), 7))


def ball(count: int = 900) -> PointCloud:
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    rgb = rng.integers(0, 256, (count, 3)).astype(np.uint8)
    labels = (normals[:, 2] > 0).astype(np.int64) + 3
    return PointCloud(normals * (1.0, 0.7, 0.5), rgb, normals, labels)
