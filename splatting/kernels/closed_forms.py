"""The falloffs in closed form: what the oracle evaluates and every polynomial is measured against.

Each is a function of q = d^2, the squared Mahalanobis distance, with f(0) = 1. `xp` is numpy or
torch. The family is that of DARB-Splatting (arXiv 2501.12369); the scales are the released ones
where code was released (raised cosine, half cosine of d^2), else a support of three sigmas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

ClosedForm = Callable[[Any, Any], Any]

LOG_255 = float(np.log(255.0))
RAISED_COSINE_SUPPORT = 2.5
SUPPORT = 3.0
"""Of every compact kernel whose radius nothing else decides."""
SINC_ZERO = SUPPORT / 2.0
"""First zero of the modular sinc: its one side lobe ends at the support."""

_TINY_Q = 1e-12
"""sqrt has no slope at 0; below this the tip counts as reached."""


def gaussian(q: Any, xp: Any) -> Any:
    """exp(-q / 2), the kernel of 3DGS."""
    return xp.exp(-0.5 * q)


def raised_cosine(q: Any, xp: Any) -> Any:
    """(1 + cos(pi d / R)) / 2, R = 2.5: nearly a Gaussian, but it ends."""
    return 0.5 + 0.5 * _cos_of_root((np.pi / RAISED_COSINE_SUPPORT) ** 2 * q, xp)


def half_cosine(q: Any, xp: Any) -> Any:
    """cos(pi d / 2R)."""
    return _cos_of_root((0.5 * np.pi / SUPPORT) ** 2 * q, xp)


def half_cosine_square(q: Any, xp: Any) -> Any:
    """cos(pi d^2 / 2R^2): flat on top, steep at the rim."""
    return xp.cos(0.5 * np.pi / SUPPORT**2 * q)


def parabolic(q: Any, xp: Any) -> Any:
    """1 - d^2 / R^2, the cheapest of all (Epanechnikov's)."""
    return 1.0 - q / SUPPORT**2


def modular_sinc(q: Any, xp: Any) -> Any:
    """|sin u / u|, u = pi d / z: a main lobe up to z and one side lobe of height 0.217."""
    return xp.abs(_sinc_of_root((np.pi / SINC_ZERO) ** 2 * q, xp))


def inverse_multiquadric(q: Any, xp: Any) -> Any:
    """(1 + d^2)^(-1/2) times (1 - (d / R)^4)^2: alone it would end in a step of 0.3 at R = 3."""
    return (1.0 + q) ** -0.5 * (1.0 - (q / SUPPORT**2) ** 2) ** 2


def triangle(q: Any, xp: Any) -> Any:
    """1 - d / R: a cone, with a tip."""
    return 1.0 - _root(q, xp) / SUPPORT


def generalised_exponential(n: float, a: float) -> tuple[ClosedForm, float]:
    """exp(-a d^n) and where it falls to 1/255: the Gaussian for n = 2, a = 1/2; a tip for n < 2."""

    def closed_form(q: Any, xp: Any) -> Any:
        # written so that even powers stay smooth in q
        return xp.exp(-a * (q ** (n / 2) if n >= 2 else _root(q, xp) ** n))

    return closed_form, (LOG_255 / a) ** (1.0 / n)


def student_t(nu: float) -> tuple[ClosedForm, float]:
    """(1 + q / nu)^(-(nu + 2) / 2), heavy-tailed, and where it falls to 1/255 (SSS, CVPR 2025)."""

    def closed_form(q: Any, xp: Any) -> Any:
        return (1.0 + q / nu) ** (-0.5 * (nu + 2.0))

    return closed_form, float(np.sqrt(nu * (255.0 ** (2.0 / (nu + 2.0)) - 1.0)))


def _root(q: Any, xp: Any) -> Any:
    return xp.sqrt(xp.clip(q, _TINY_Q, None))


def _cos_of_root(x: Any, xp: Any) -> Any:
    """cos(sqrt(x)) is entire in x, but autograd of sqrt is not: a series near 0."""
    near = x < 1e-4
    far = xp.cos(xp.sqrt(xp.where(near, xp.ones_like(x), x)))
    return xp.where(near, 1.0 - x / 2.0 + x * x / 24.0, far)


def _sinc_of_root(x: Any, xp: Any) -> Any:
    near = x < 1e-4
    root = xp.sqrt(xp.where(near, xp.ones_like(x), x))
    return xp.where(near, 1.0 - x / 6.0 + x * x / 120.0, xp.sin(root) / root)
