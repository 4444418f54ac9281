"""Made-up clouds: points on a few solids, each axis stretched at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.labelled_clouds import LabelledClouds

SHAPES = {"ball": (1.0, 1.0, 1.0), "disc": (1.0, 1.0, 0.05), "rod": (0.1, 0.1, 1.0)}


def solid(kind: str, points: int, generator: np.random.Generator) -> np.ndarray:
    """Points of one solid before it is stretched."""
    directions = generator.normal(size=(points, 3))
    if kind == "box":
        return directions / np.abs(directions).max(1, keepdims=True)
    if kind == "ring":
        around, along = generator.uniform(0, 2 * np.pi, (2, points))
        radius = 1.0 + 0.2 * np.cos(around)
        return np.stack([radius * np.cos(along), radius * np.sin(along), 0.2 * np.sin(around)], 1)
    if kind == "cone":
        along, height = generator.uniform(0, 2 * np.pi, points), generator.uniform(size=points)
        radius = np.sqrt(height)
        return np.stack([radius * np.cos(along), radius * np.sin(along), -2 * radius], 1)
    return directions / np.linalg.norm(directions, axis=1, keepdims=True) * SHAPES[kind]


def made_clouds(kinds: tuple[str, ...], each: int, points: int = 128) -> LabelledClouds:
    """`each` clouds of every kind."""
    generator = np.random.default_rng(0)
    clouds = [
        (solid(kind, points, generator) * generator.uniform(0.7, 1.4, 3)).astype(np.float32)
        for kind in kinds
        for _ in range(each)
    ]
    labels = np.repeat(np.arange(len(kinds)), each)
    return LabelledClouds(clouds, labels, kinds, np.arange(len(labels)))


def write_npz(path: Path, data: LabelledClouds, **more: np.ndarray) -> Path:
    """`data` as an archive of whole numbers in the unit sphere."""
    points = np.stack(data.clouds)
    points = points / np.linalg.norm(points, axis=2).max(1)[:, None, None]
    whole = np.rint(points * 32767).astype(np.int16)
    np.savez(path, points=whole, label=data.labels, classes=np.array(data.classes), **more)
    return path
