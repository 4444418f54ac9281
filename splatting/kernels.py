"""Decaying radial basis functions as data: the closed form, its constants and the polynomial that
fast loops run.

A kernel f(q) of the squared Mahalanobis distance q = d^2 replaces the Gaussian exp(-q / 2) of
splatting (DARB-Splatting, arXiv 2501.12369). Everything that a back end needs is derived here from
the closed form: the polynomial with its measured error, the spread factor psi, the screen mass and
the distance at which an opacity falls below 1/255. So the fast loops never call exp, cos or sqrt of
their own, and forward and backward agree because the slope is the differentiated polynomial.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Float64

ALPHA_CUT = 1.0 / 255.0
"""A pixel-splat pair below this alpha is not drawn (8-bit images; as in 3DGS and gsplat)."""

CUTOFF_ENTRIES = 1024
_FIT_TOLERANCE = 3e-5
_MAX_DEGREE = 12

ClosedForm = Callable[[Any, Any], Any]


@dataclass(frozen=True, eq=False)
class Kernel:
    """One falloff f(q), f(0) = 1, decaying, zero for d > `support`."""

    name: str
    support: float
    """Radius in sigmas beyond which nothing is drawn."""
    closed_form: ClosedForm
    """`closed_form(q, xp)` for float arrays of numpy or torch (`xp`): the definition, used by the
    oracle."""
    psi: float
    """Per-axis variance of f as a 3D density; multiplies the projected covariance (paper, section
    3)."""
    screen_mass: float
    """Integral of f over the plane of unit covariance, divided by 2 pi (1 for the Gaussian)."""
    screen_variance: float
    """Per-axis variance of f as a density on the plane (1 for the Gaussian)."""
    variable: Literal["q", "d"]
    """What the polynomial is a polynomial of: q, or d = sqrt(q)."""
    coefficients: tuple[float, ...]
    """c0 + c1 v + c2 v^2 + ... on the support."""
    max_error: float
    """Largest |polynomial - closed form| on the support, evaluated in float32 as the loops do."""
    cutoff_table: Float64[np.ndarray, "1024"]
    """q at which f falls to exp(-l), for l evenly spaced from 0 to log 255; linear in l for the
    Gaussian."""

    @property
    def degree(self) -> int:
        """Degree of the polynomial."""
        return len(self.coefficients) - 1

    @property
    def program(self) -> tuple[Any, ...]:
        """The polynomial as a tuple whose type selects the compiled loop (see `cpu.falloff`)."""
        coefficients = tuple(np.float32(c) for c in self.coefficients)
        return coefficients if self.variable == "q" else (*coefficients, np.int8(0))

    @property
    def mass_matched_scale(self) -> float:
        """Factor on sigma that gives a splat the screen mass of a Gaussian of the same sigma."""
        return float(1.0 / np.sqrt(self.screen_mass * self.psi))

    def __call__(self, q: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
        """The closed form, zero outside the support."""
        q = np.asarray(q, np.float64)
        return np.where(q <= self.support**2, self.closed_form(q, np), 0.0)

    def cutoff_q(self, opacity: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
        """Largest q at which opacity * f(q) reaches 1/255; 0 where the opacity itself is below."""
        threshold = ALPHA_CUT / np.maximum(np.asarray(opacity, np.float64), ALPHA_CUT)
        return _invert(self.closed_form, threshold, self.support)


def gaussian(q: Any, xp: Any) -> Any:
    """exp(-q / 2), the kernel of 3DGS."""
    return xp.exp(-0.5 * q)


RAISED_COSINE_SUPPORT = 2.5


def raised_cosine(q: Any, xp: Any) -> Any:
    """(1 + cos(pi d / R)) / 2 with R = 2.5; even in d, so a power series in q near the centre."""
    k = (np.pi / RAISED_COSINE_SUPPORT) ** 2
    # cos(sqrt(.)) has a finite slope at 0 but sqrt has not: the series keeps autograd finite there
    near = q < 1e-4
    series = 1.0 - k * q / 4.0 + k * k * q * q / 48.0
    far = 0.5 + 0.5 * xp.cos(xp.sqrt(k * xp.where(near, xp.ones_like(q), q)))
    return xp.where(near, series, far)


def build(name: str, closed_form: ClosedForm, support: float, moments_support: float) -> Kernel:
    """Derive a kernel's constants and polynomial; `moments_support` bounds the integrals of psi
    and mass."""
    psi, mass, variance = _moments(closed_form, moments_support)
    coefficients, error = _fit(closed_form, support)
    return Kernel(
        name=name,
        support=support,
        closed_form=closed_form,
        psi=psi,
        screen_mass=mass,
        screen_variance=variance,
        variable="q",
        coefficients=coefficients,
        max_error=error,
        cutoff_table=_cutoff_table(closed_form, support),
    )


def _moments(closed_form: ClosedForm, support: float) -> tuple[float, float, float]:
    """psi = (1/3) Int r^4 f / Int r^2 f, mass = Int r f, variance = (1/2) Int r^3 f / Int r f
    (Gauss-Legendre)."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    r = 0.5 * support * (nodes + 1.0)
    f = closed_form(r * r, np) * weights * 0.5 * support
    psi = np.sum(r**4 * f) / np.sum(r**2 * f) / 3.0
    mass = np.sum(r * f)
    return float(psi), float(mass), float(np.sum(r**3 * f) / mass / 2.0)


def _fit(closed_form: ClosedForm, support: float) -> tuple[tuple[float, ...], float]:
    """The polynomial in q of least degree within the tolerance: Chebyshev interpolation, checked
    in float32."""
    from numpy.polynomial import Chebyshev, Polynomial

    domain = (0.0, support**2)
    q = np.linspace(*domain, 20_001)
    exact = closed_form(q, np)
    for degree in range(2, _MAX_DEGREE + 1):
        chebyshev = Chebyshev.interpolate(lambda x: closed_form(x, np), degree, domain=domain)
        coefficients = chebyshev.convert(kind=Polynomial).coef
        error = float(np.max(np.abs(_horner_float32(coefficients, q) - exact)))
        if error <= _FIT_TOLERANCE:
            return tuple(float(c) for c in coefficients), error
    raise ValueError(
        f"expected a falloff within {_FIT_TOLERANCE:g} of a polynomial in q"
        f" of degree <= {_MAX_DEGREE}, found an error of {error:.2g}"
    )


def _horner_float32(
    coefficients: Float64[np.ndarray, "k"], x: Float64[np.ndarray, "n"]
) -> Float32[np.ndarray, "n"]:
    value = np.full(x.shape, coefficients[-1], np.float32)
    for c in coefficients[-2::-1]:
        value = value * x.astype(np.float32) + np.float32(c)
    return value


def _cutoff_table(closed_form: ClosedForm, support: float) -> Float64[np.ndarray, "1024"]:
    """q(exp(-l)), l from 0 to log 255."""
    threshold = np.exp(-np.linspace(0.0, np.log(255.0), CUTOFF_ENTRIES))
    return _invert(closed_form, threshold, support)


def _invert(
    closed_form: ClosedForm, threshold: Float64[np.ndarray, "*n"], support: float
) -> Float64[np.ndarray, "*n"]:
    """Largest q with f(q) >= threshold, by bisection of the decaying closed form."""
    low, high = np.zeros_like(threshold), np.full_like(threshold, support**2)
    for _ in range(60):
        middle = 0.5 * (low + high)
        inside = closed_form(middle, np) >= threshold
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low


# opacity <= 1, so exp(-q/2) >= 1/255 ends at q = 2 ln 255: nothing beyond is ever drawn
_GAUSSIAN_SUPPORT = float(np.sqrt(2.0 * np.log(255.0)))

_BUILDERS: dict[str, Callable[[], Kernel]] = {
    "gaussian": lambda: build("gaussian", gaussian, _GAUSSIAN_SUPPORT, 14.0),
    "raised-cosine": lambda: build(
        "raised-cosine", raised_cosine, RAISED_COSINE_SUPPORT, RAISED_COSINE_SUPPORT
    ),
}


def names() -> tuple[str, ...]:
    """Names that `get` accepts."""
    return tuple(_BUILDERS)


@functools.cache
def get(name: str) -> Kernel:
    """The kernel called `name`; KeyError-free: an unknown one is a `UserError` that lists the
    known."""
    if name not in _BUILDERS:
        from data.errors import UserError

        raise UserError(f"expected a kernel among {', '.join(names())}, found {name!r} (--kernel)")
    return _BUILDERS[name]()
