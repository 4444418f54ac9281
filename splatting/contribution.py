"""How much of the photos each splat paints: what is left out when fewer splats must do, and what
floats in front of one camera alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int64

from data.camera import Camera
from splatting.cpu import pipeline
from splatting.splats import Splats

LEAST_PIXELS = 1.0
"""A view counts as painted by a splat whose weights sum to a whole pixel in it."""


def contributions(
    splats: Splats, cameras: Sequence[Camera]
) -> tuple[Float64[np.ndarray, "n"], Int64[np.ndarray, "n"]]:
    """Sum of each splat's blending weights over all pixels of all `cameras`, and the number of
    cameras in which it paints a pixel's worth.

    The weights are the slopes of the picture's sum by each splat's colour, so the gradient of a
    drawing without harmonics is what they are read from.
    """
    total, seen = np.zeros(len(splats)), np.zeros(len(splats), np.int64)
    plain = replace(splats, sh0=np.zeros_like(splats.sh0))  # grey: no colour is clamped at 0
    background, work = np.zeros(3, np.float32), pipeline.Workspace()
    per_weight = 1.0 / 0.28209479177387814  # of the constant harmonic
    for camera in cameras:
        frame = pipeline.forward(work, plain, camera, 0, background)
        d_rgb = np.zeros_like(frame.rgb)
        d_rgb[..., 0] = 1.0
        gradients = pipeline.backward(work, frame, d_rgb)
        weights = gradients.sh0[:, 0] * per_weight
        total[frame.visible] += weights
        seen[frame.visible] += weights >= LEAST_PIXELS
    return total, seen


def importance(splats: Splats, cameras: Sequence[Camera]) -> Float64[np.ndarray, "n"]:
    """What is lost without each splat: its weights, divided by its width (the geometric mean of
    its two larger sigmas).

    Without the division, detail would go first: on an inner split of the banana scene, half of the
    splats then cost 0.036 of SSIM, with it 0.019, and no PSNR either way.
    """
    total, _ = contributions(splats, cameras)
    larger = np.sort(splats.log_scales.astype(np.float64), axis=1)[:, 1:]
    return total / np.exp(larger.mean(axis=1))
