"""Gaussians in place of other kernels: closer than the same sigma, and exact where they are
Gaussian."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from own_kernel import EVERY
from test_densification import camera, one_splat

from splatting import kernels, rasterization
from splatting.bake import bake_gaussian, best_gaussian


def test_the_gaussians_own_fit_is_itself() -> None:
    c, s = best_gaussian(kernels.get("gaussian"))
    assert (c, s) == (pytest.approx(1, abs=2e-3), pytest.approx(1, abs=2e-3))
    splats = one_splat("gaussian", 0.5)
    assert bake_gaussian(splats) is splats


def test_the_fit_is_a_minimum() -> None:
    kernel = kernels.get("raised-cosine")
    c, s = best_gaussian(kernel)
    r = np.linspace(0, 8, 4001)

    def error(c: float, s: float) -> float:
        return float(np.trapezoid(r * (kernel(r * r) - c * np.exp(-0.5 * (r / s) ** 2)) ** 2, r))

    for dc, ds in ((0.02, 0), (-0.02, 0), (0, 0.02), (0, -0.02)):
        assert error(c + dc, s + ds) > error(c, s)


@pytest.mark.parametrize("kernel", [name for name in EVERY if name != "gaussian"])
def test_baked_splats_look_more_alike_than_gaussians_of_the_same_sigma(kernel: str) -> None:
    splats = one_splat(kernel, 0.7)
    true = rasterization.render(splats, camera()).alpha

    def gap(other) -> float:
        return float(np.mean((rasterization.render(other, camera()).alpha - true) ** 2))

    naive = replace(splats, kernel=kernels.get("gaussian"))
    assert gap(bake_gaussian(splats)) < gap(naive)
