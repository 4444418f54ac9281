"""The depth of sparse points in the loss: its slopes by differences, its value by hand, and that
training comes nearer to the points."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import data
from data.camera import Camera
from splatting.config import TrainConfig
from splatting.rasterization import render
from splatting.sparse_depth import SparseDepth
from splatting.training import train

BANANA = Path(data.__file__).parent / "samples" / "banana"
CAMERA = Camera(np.array([[10.0, 0, 4], [0, 10.0, 3], [0, 0, 1]]), np.eye(4), 8, 6)


def at(pixels: list[tuple[float, float]], depths: list[float]) -> SparseDepth:
    """Points at these pixels and depths of `CAMERA`, seen by one view."""
    directions = (np.array(pixels) - [4, 3]) / 10
    return SparseDepth((directions.astype(np.float32),), (np.array(depths, np.float32),))


def test_value_and_slopes() -> None:
    """The second and third point lie in one pixel; the fourth where little was drawn; the last
    outside."""
    points = at(
        [(2.5, 1.5), (5.2, 4.8), (5.9, 4.1), (7.5, 5.5), (8.1, 2.0)], [2.0, 3.0, 4.0, 2.0, 1.0]
    )
    rng = np.random.default_rng(0)
    alpha = rng.uniform(0.6, 1.0, (6, 8)).astype(np.float32)
    alpha[5, 7] = 0.3
    depth = (alpha * rng.uniform(1, 5, (6, 8))).astype(np.float32)

    def price(alpha: np.ndarray, depth: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        by_alpha, by_depth = np.zeros((6, 8), np.float32), np.zeros((6, 8), np.float32)
        frame = SimpleNamespace(transmittance=1 - alpha, depth=depth)
        value = points.add_slopes(0, CAMERA, frame, 0.3, by_alpha, by_depth)
        return value, by_alpha, by_depth

    value, by_alpha, by_depth = price(alpha, depth)
    found = depth / alpha
    errors = [abs(found[1, 2] - 2) / 2, abs(found[4, 5] - 3) / 3, abs(found[4, 5] - 4) / 4]
    assert value == pytest.approx(0.3 * np.mean(errors), rel=1e-5)
    assert np.count_nonzero(by_alpha) == np.count_nonzero(by_depth) == 2
    h = 1e-3
    for y, x in ((1, 2), (4, 5)):
        moved = np.zeros((6, 8), np.float32)
        moved[y, x] = h
        slope = (price(alpha + moved, depth)[0] - price(alpha - moved, depth)[0]) / (2 * h)
        assert by_alpha[y, x] == pytest.approx(slope, rel=1e-2, abs=1e-4)
        slope = (price(alpha, depth + moved)[0] - price(alpha, depth - moved)[0]) / (2 * h)
        assert by_depth[y, x] == pytest.approx(slope, rel=1e-2, abs=1e-4)


def test_points_follow_the_size_of_the_picture() -> None:
    """A point in the pixel (5, 4) lies in the pixel (2, 2) of a picture of half the size."""
    points = at([(5.5, 4.5)], [2.0])
    frame = SimpleNamespace(transmittance=np.zeros((3, 4)), depth=np.ones((3, 4), np.float32))
    by_alpha, by_depth = np.zeros((3, 4)), np.zeros((3, 4))
    points.add_slopes(0, CAMERA.resized(4, 3), frame, 1.0, by_alpha, by_depth)
    assert np.argwhere(by_depth).tolist() == [[2, 2]] and by_depth[2, 2] < 0


def test_a_model_without_tracks_has_none(monkeypatch) -> None:
    banana = data.load_scene(BANANA, 8)
    assert SparseDepth.of(banana) is not None
    bare = SimpleNamespace(
        points=banana.points,
        train=[SimpleNamespace(camera=view.camera, seen=None) for view in banana.train],
    )
    assert SparseDepth.of(bare) is None


def test_depth_comes_nearer_to_the_points() -> None:
    banana = data.load_scene(BANANA, 8)
    points = SparseDepth.of(banana)
    assert points is not None
    errors = []
    for weight in (0.0, 1.0):
        splats = train(banana, TrainConfig(steps=400, depth_weight=weight)).splats
        for index, view in enumerate(banana.train[:4]):
            drawn = render(splats, view.camera)
            frame = SimpleNamespace(transmittance=1 - drawn.alpha, depth=drawn.depth)
            none = np.zeros_like(drawn.alpha)
            errors.append(points.add_slopes(index, view.camera, frame, 1.0, none, none))
    assert np.mean(errors[4:]) < 0.8 * np.mean(errors[:4])
