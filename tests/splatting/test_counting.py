"""Counts of splats a pixel: by trying every splat at every pixel, and a pattern known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from data.camera import Camera
from splatting import kernels
from splatting.cpu import pipeline
from splatting.cpu import screen as s
from splatting.rasterization import count, render
from splatting.splats import Splats

CAMERA = Camera(np.array([[80.0, 0, 45], [0, 80.0, 35], [0, 0, 1]]), np.eye(4), 90, 70)


def splats_at(means: list, sigma: float, opacity: float, kernel: str = "raised-cosine") -> Splats:
    n = len(means)
    quats = np.zeros((n, 4), np.float32)
    quats[:, 0] = 1
    return Splats(
        means=np.array(means, np.float32),
        log_scales=np.full((n, 3), np.log(sigma), np.float32),
        quats=quats,
        logit_opacities=np.full(n, np.log(opacity / (1 - opacity)), np.float32),
        sh0=np.zeros((n, 3), np.float32),
        shN=np.zeros((n, 0, 3), np.float32),
        kernel=kernels.get(kernel),
    )


def test_a_pile_counts_all_its_splats_though_the_first_hides_the_rest() -> None:
    counted, drawn = count(splats_at([[0, 0, 2 + 0.1 * k] for k in range(9)], 0.2, 0.99), CAMERA)
    assert counted[35, 45] == 9 and counted[0, 0] == 0
    assert drawn.alpha[35, 45] > 0.98


@pytest.mark.parametrize("kernel", ["gaussian", "parabolic"])
def test_a_splat_is_counted_where_its_alpha_is_1_255_or_more(kernel: str) -> None:
    splats = splats_at([[0.1, -0.05, 2.0]], 0.15, 0.6, kernel)
    counted, drawn = count(splats, CAMERA)
    np.testing.assert_array_equal(counted > 0, drawn.alpha > 0)
    assert counted.max() == 1
    np.testing.assert_array_equal(drawn.rgb, render(splats, CAMERA).rgb)


def test_many_splats_over_many_tiles_and_batches() -> None:
    rng = np.random.default_rng(0)
    n, f32 = 900, np.float32
    z = rng.uniform(2, 6, n)
    splats = Splats(
        means=np.column_stack([rng.uniform(-0.7, 0.7, (n, 2)) * z[:, None], z]).astype(f32),
        log_scales=rng.uniform(-4, -0.5, (n, 3)).astype(f32),
        quats=rng.normal(size=(n, 4)).astype(f32),
        logit_opacities=rng.normal(0, 3, n).astype(f32),
        sh0=np.zeros((n, 3), f32),
        shN=np.zeros((n, 0, 3), f32),
        kernel=kernels.get("raised-cosine"),
    )
    counted, _ = count(splats, CAMERA)
    frame = pipeline.forward(pipeline.Workspace(), splats, CAMERA, 0, np.zeros(3))
    y, x = np.mgrid[: CAMERA.height, : CAMERA.width] + 0.5
    expected, unsure = np.zeros(x.shape, int), np.zeros(x.shape, int)
    for record in frame.records[frame.visible].astype(np.float64):
        dx = x - record[s.X_WHOLE] - record[s.X_PART]
        dy = y - record[s.Y_WHOLE] - record[s.Y_PART]
        a, b, c = record[s.CONIC_A], record[s.CONIC_B], record[s.CONIC_C]
        q = a * dx**2 + 2 * b * dx * dy + c * dy**2
        expected += q <= record[s.Q_CUT]
        unsure += np.abs(q - record[s.Q_CUT]) < 1e-4 * (1 + record[s.Q_CUT])
    assert np.diff(frame.tile_start).max() > 64, "more than a batch"
    assert np.all(np.abs(counted - expected) <= unsure)
    assert np.mean(unsure > 0) < 0.1
