"""Floaters planted in a scene that has none, and what is found of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import data
from data.camera import Camera
from splatting.export import load_ply
from splatting.floaters import MOST_CAMERAS, floater_scores, thinned
from splatting.splats import Splats, concatenate

SAMPLE = Path(data.__file__).parent / "samples" / "synth_splats"
KINDS = ("specks before a lens", "specks in the air", "haze")
EACH = 20


@pytest.fixture(scope="module")
def scene() -> tuple[Splats, list[Camera]]:
    """2,400 known Gaussians, and rings of cameras around them like those of their photos."""
    photographed = [view.camera for view in data.load_scene(SAMPLE).views]
    cameras = []
    for camera in photographed[:2]:
        for angle in np.linspace(0, 2 * np.pi, 16, endpoint=False):
            turn = np.eye(4)
            c, s = np.cos(angle), np.sin(angle)
            turn[:2, :2] = [[c, -s], [s, c]]
            cameras.append(replace(camera, cam_from_world=camera.cam_from_world @ turn))
    return load_ply(SAMPLE / "gt_splats.ply"), cameras


def floaters(splats: Splats, cameras: list[Camera], kind: str) -> Splats:
    """Twenty splats on the way from a camera to what it looks at."""
    rng = np.random.default_rng(len(kind))
    depth, opacity, size = {
        "specks before a lens": ((0.2, 0.7), (0.3, 0.9), (0.5, 2.0)),
        "specks in the air": ((0.7, 1.6), (0.1, 0.6), (0.5, 1.5)),
        "haze": ((0.7, 1.6), (0.02, 0.15), (5.0, 12.0)),
    }[kind]
    means = []
    for z in rng.uniform(*depth, EACH):
        camera = cameras[rng.integers(len(cameras))]
        slope = (
            0.3 * rng.uniform(-1, 1, 2) * [camera.width, camera.height] / camera.K[[0, 1], [0, 1]]
        )
        pose = camera.world_from_cam
        means.append(pose[:3, :3] @ (z * np.array([*slope, 1.0])) + pose[:3, 3])
    ordinary = np.median(splats.log_scales.max(axis=1))
    sigmas = ordinary + np.log(rng.uniform(*size, (EACH, 1))) + rng.normal(0, 0.2, (EACH, 3))
    alpha = rng.uniform(*opacity, EACH)
    return replace(
        splats.take(rng.integers(0, len(splats), EACH)),
        means=np.array(means, np.float32),
        log_scales=sigmas.astype(np.float32),
        logit_opacities=np.log(alpha / (1 - alpha)).astype(np.float32),
    )


@pytest.fixture(scope="module")
def spoiled(scene) -> Splats:
    splats, cameras = scene
    return concatenate([splats, *(floaters(splats, cameras, kind) for kind in KINDS)])


def test_with_cameras_most_are_found_and_nothing_else(scene, spoiled) -> None:
    splats, cameras = scene
    ticks = []
    scores = floater_scores(spoiled, cameras, lambda: ticks.append(1))
    assert len(ticks) == len(cameras) and scores.min() >= 0 and scores.max() <= 1
    likely, planted = scores > 0.5, np.arange(len(spoiled)) >= len(splats)
    precision = (likely & planted).sum() / likely.sum()
    recall = {kind: likely[len(splats) + EACH * i :][:EACH].mean() for i, kind in enumerate(KINDS)}
    assert precision >= 0.95
    assert likely[planted].mean() >= 0.8, recall
    assert min(recall.values()) >= 0.6, recall
    np.testing.assert_array_equal(floater_scores(spoiled, cameras), scores)  # nothing at random


def test_without_cameras_the_isolated_ones_are_found(scene, spoiled) -> None:
    splats, _ = scene
    likely, planted = floater_scores(spoiled) > 0.5, np.arange(len(spoiled)) >= len(splats)
    assert (likely & planted).sum() / likely.sum() >= 0.95
    assert likely[len(splats) : len(splats) + 2 * EACH].mean() >= 0.8
    assert likely[planted].mean() >= 0.5


def test_a_clean_scene_is_left_alone(scene) -> None:
    splats, cameras = scene
    assert not (floater_scores(splats, cameras) > 0.5).any()


def test_a_splat_that_all_cameras_see_past_is_one_and_what_they_look_at_is_not(scene) -> None:
    """By hand: a faint splat halfway to a wall of opaque ones, twelve cameras before it."""
    x, y = np.meshgrid(np.linspace(-3, 3, 25), np.linspace(-3, 3, 25))
    n = x.size + 1
    means = np.zeros((n, 3), np.float32)
    means[:-1, 0], means[:-1, 1], means[:-1, 2] = x.ravel(), y.ravel(), 4.0
    means[-1] = [0.0, 0.0, 2.0]
    few, _ = scene
    wall = replace(
        few.take(np.zeros(n, int)),
        means=means,
        log_scales=np.full((n, 3), np.log(0.25), np.float32),
        logit_opacities=np.r_[np.full(n - 1, 4.0), -1.0].astype(np.float32),
    )
    cameras = []
    for shift in np.linspace(-0.5, 0.5, 12):
        pose = np.eye(4)
        pose[0, 3] = -shift
        cameras.append(Camera(np.array([[80.0, 0, 50], [0, 80, 50], [0, 0, 1]]), pose, 100, 100))
    scores = floater_scores(wall, cameras)
    assert scores[-1] > 0.9 and scores[:-1].max() < 0.5


def test_few_splats_and_many_cameras(scene) -> None:
    splats, cameras = scene
    for n in (1, 2, 5):
        assert np.isfinite(floater_scores(splats.take(np.arange(n)), cameras[:2])).all()
    assert len(thinned(cameras * 10)) <= MOST_CAMERAS and len(thinned(cameras)) == len(cameras)
    assert len(thinned([])) == 0
