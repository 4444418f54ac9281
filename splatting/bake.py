"""A scene of any kernel as Gaussians, for programs that draw nothing else.

For each kernel one pair of numbers (c, s) fits best: c exp(-r^2 / 2 s^2) is closest to f(r) in
squared error over the plane. Sigmas are multiplied by s sqrt(psi), opacities by c.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np

from splatting import kernels
from splatting.kernels import Kernel
from splatting.splats import Splats

_MOST_OPAQUE = 0.999


@functools.lru_cache(maxsize=64)
def best_gaussian(kernel: Kernel) -> tuple[float, float]:
    """(c, s) of the Gaussian c exp(-r^2 / 2 s^2), r in sigmas on the screen, closest to
    `kernel`."""
    from scipy.optimize import minimize_scalar

    r = np.linspace(0.0, 3.0 * kernel.support, 20_001)
    f = kernel(r * r)

    def height(s: float) -> float:
        g = np.exp(-0.5 * (r / s) ** 2)
        return float(np.trapezoid(r * f * g, r) / np.trapezoid(r * g * g, r))

    def error(s: float) -> float:
        return float(np.trapezoid(r * (f - height(s) * np.exp(-0.5 * (r / s) ** 2)) ** 2, r))

    found: Any = minimize_scalar(
        error, bounds=(0.05 * kernel.support, kernel.support), method="bounded"
    )
    s = float(found.x)
    return height(s), s


def bake_gaussian(splats: Splats) -> Splats:
    """`splats` as Gaussians that look as alike as Gaussians can; the same splats if they are."""
    if splats.kernel.name == "gaussian":
        return splats
    c, s = best_gaussian(splats.kernel)
    opacity = c / (1.0 + np.exp(-splats.logit_opacities.astype(np.float64)))
    opacity = np.clip(opacity, 1e-6, _MOST_OPAQUE)
    wider = np.float32(np.log(s * np.sqrt(splats.kernel.psi)))
    return replace(
        splats,
        log_scales=splats.log_scales + wider,
        logit_opacities=np.log(opacity / (1.0 - opacity)).astype(np.float32),
        kernel=kernels.get("gaussian"),
    )
