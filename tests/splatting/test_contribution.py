"""Contributions: the weights that the reference blends with, summed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from data.camera import Camera
from splatting import kernels
from splatting.contribution import contributions
from splatting.rasterization import render
from splatting.splats import Splats

CAMERA = Camera(np.array([[60.0, 0, 20], [0, 60.0, 16], [0, 0, 1]]), np.eye(4), 40, 32)


def row_of(depths: list[float], opacities: list[float], colour: float = 0.0) -> Splats:
    """Splats behind one another on the optical axis."""
    n = len(depths)
    means = np.zeros((n, 3), np.float32)
    means[:, 2] = depths
    quats = np.zeros((n, 4), np.float32)
    quats[:, 0] = 1
    odds = np.array(opacities) / (1 - np.array(opacities))
    return Splats(
        means=means,
        log_scales=np.full((n, 3), np.log(0.1), np.float32),
        quats=quats,
        logit_opacities=np.log(odds).astype(np.float32),
        sh0=np.full((n, 3), colour, np.float32),
        shN=np.zeros((n, 0, 3), np.float32),
        kernel=kernels.get("raised-cosine"),
    )


@pytest.mark.parametrize("colour", [0.0, -5.0])
def test_they_sum_to_alpha_whatever_the_colour(colour: float) -> None:
    """Weights of all splats add up to the alpha of the picture; a black splat counts too."""
    splats = row_of([2.0, 2.5, 3.0], [0.6, 0.7, 0.8], colour)
    total, seen = contributions(splats, [CAMERA, CAMERA])
    alpha = render(splats, CAMERA).alpha
    assert total.sum() == pytest.approx(2 * alpha.sum(), rel=1e-4)
    assert (total > 0).all() and seen.tolist() == [2, 2, 2]


def test_what_is_hidden_paints_less() -> None:
    splats = row_of([2.0, 3.0, -1.0], [0.9, 0.9, 0.9])
    total, seen = contributions(splats, [CAMERA])
    assert total[1] < 0.3 * total[0] and total[2] == seen[2] == 0
