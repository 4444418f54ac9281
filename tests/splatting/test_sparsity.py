"""The price on opacity and size: its slopes are those of what it says it is."""

from __future__ import annotations

import numpy as np
import pytest

from data.camera import Camera
from splatting import kernels, sparsity
from splatting.cpu import pipeline
from splatting.splats import Splats


def test_it_is_the_slope_of_mean_opacity_and_mean_size() -> None:
    rng, f32, n = np.random.default_rng(0), np.float32, 10
    means = rng.uniform(-0.5, 0.5, (n, 3)) + np.array([0, 0, 3])
    means[2] = [0, 0, -1]  # behind the camera: not drawn, and its opacity is not asked for
    splats = Splats(
        means=means.astype(f32),
        log_scales=rng.uniform(-3, -1, (n, 3)).astype(f32),
        quats=rng.normal(size=(n, 4)).astype(f32),
        logit_opacities=rng.normal(size=n).astype(f32),
        sh0=np.zeros((n, 3), f32),
        shN=np.zeros((n, 0, 3), f32),
        kernel=kernels.get("raised-cosine"),
    )
    camera = Camera(np.array([[40.0, 0, 20], [0, 40.0, 20], [0, 0, 1]]), np.eye(4), 40, 40)
    work = pipeline.Workspace()
    frame = pipeline.forward(work, splats, camera, 0, np.zeros(3, f32))
    gradients = pipeline.backward(work, frame, np.zeros_like(frame.rgb))
    sparsity.add_slopes(frame, 0.01, 2.0, gradients)
    assert len(frame.visible) == n - 1
    unit = 2.0 * splats.kernel.mass_matched_scale

    def price(logit: np.ndarray, scales: np.ndarray) -> float:
        return 0.01 * (np.mean(1 / (1 + np.exp(-logit))) + np.mean(np.exp(scales) / unit))

    h = 1e-4
    for j, row in enumerate(frame.visible):
        logit, scales = (a.astype(np.float64) for a in (splats.logit_opacities, splats.log_scales))
        base = price(logit, scales)
        logit[row] += h
        slope = (price(logit, scales) - base) / h
        assert gradients.logit_opacities[j] == pytest.approx(slope, rel=1e-2)
        logit[row] -= h
        scales[row, 1] += h
        slope = (price(logit, scales) - base) / h
        assert gradients.log_scales[j, 1] == pytest.approx(slope, rel=1e-2)
