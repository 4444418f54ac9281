"""A classifier that is known by heart, and clouds of its classes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

SIZES = {"tower": (0.3, 0.3, 1.0), "plate": (1.0, 1.0, 0.1), "wall": (1.0, 0.1, 1.0)}


class Shapes:
    """Says tower, plate or wall by how high a cloud is beside its width and depth."""

    labels = tuple(SIZES)
    points = 256

    def predict(self, xyz: np.ndarray | list[np.ndarray]) -> np.ndarray:
        clouds = [xyz] if isinstance(xyz, np.ndarray) else xyz
        sizes = np.stack([np.ptp(cloud, axis=0) for cloud in clouds])
        known = np.array(list(SIZES.values()))
        known = known / np.linalg.norm(known, axis=1, keepdims=True)
        like = sizes / np.linalg.norm(sizes, axis=1, keepdims=True) @ known.T
        powers = np.exp(20 * like)
        return powers / powers.sum(1, keepdims=True)


class FamiliarShapes(Shapes):
    """Has never seen a cloud thinner than a twentieth."""

    def unlike(self, xyz: list[np.ndarray]) -> np.ndarray:
        return np.array([np.ptp(c, axis=0).min() < 0.05 * np.ptp(c, axis=0).max() for c in xyz])


def box(kind: str, count: int = 200, seed: int = 0) -> np.ndarray:
    """Points in a box of that class, (count, 3)."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, 3)) * SIZES[kind]


def write_boxes(folder: Path, each: int = 3, ending: str = "xyz") -> Path:
    """A folder with a folder of clouds for each class."""
    for kind in SIZES:
        (folder / kind).mkdir(parents=True)
        for k in range(each):
            np.savetxt(folder / kind / f"{k}.{ending}", box(kind, seed=k), "%.6f")
    return folder


class SlowShapes(Shapes):
    """Takes a moment for each batch, and leaves a note of the process that it runs in."""

    def __init__(self, notes: Path) -> None:
        self.notes = notes

    def predict(self, xyz: list[np.ndarray]) -> np.ndarray:
        (self.notes / str(os.getpid())).touch()
        time.sleep(0.2)
        return super().predict(xyz)


def slow_shapes(folder: str, **_: object) -> SlowShapes:
    """What a worker loads in place of a model."""
    return SlowShapes(Path(folder))
