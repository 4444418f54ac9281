"""Kernel: one falloff with everything that a back end, a density control or a file needs of it."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from splatting.kernels.closed_forms import ClosedForm
from splatting.kernels.fit import Program, fit, fit_precisely

ALPHA_CUT = 1.0 / 255.0
"""A pixel-splat pair below this alpha is not drawn (8-bit images; as in 3DGS and gsplat)."""

CUTOFF_ENTRIES = 1024
MOST_COPIES = 51
"""Relocation puts at most so many splats on one spot (3DGS-MCMC)."""
_SATURATED_SHARE = 0.01
"""Share of its screen mass that a Gaussian of opacity 1 has above alpha 0.99."""
_MARKERS = {"d": np.int8(0), "root-d": np.int16(0), "two-q": np.int32(0)}


@dataclass(frozen=True, eq=False)
class Kernel:
    """One falloff f(q), f(0) = 1, zero for d > `support`."""

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
    fitted: Program
    """The polynomial that fast loops run instead of the closed form."""
    cutoff_table: Float64[np.ndarray, "1024"]
    """q beyond which f stays below exp(-l), for l evenly spaced from 0 to log 255."""
    built_in: bool = False
    """Whether the name alone says which kernel this is."""

    @functools.cached_property
    def program(self) -> tuple[Any, ...]:
        """The polynomial as a tuple whose type selects the compiled loop (see `cpu.falloff`)."""
        coefficients = [np.float32(c) for piece in self.fitted.pieces for c in piece]
        if self.fitted.variable == "q":
            return tuple(coefficients)
        if self.fitted.variable == "two-q":
            coefficients.append(np.float32(self.fitted.knot))
        return (*coefficients, _MARKERS[self.fitted.variable])

    @property
    def mass_matched_scale(self) -> float:
        """Factor on sigma that gives a splat the screen mass of a Gaussian of the same sigma."""
        return float(1.0 / np.sqrt(self.screen_mass * self.psi))

    @functools.cached_property
    def faint(self) -> float:
        """Factor on opacity: a splat so much fainter changes the picture (in squared error) as a
        Gaussian of the same screen mass does at 1."""
        overlap = self._integral(lambda r, f: r * f * f) / self._integral(lambda r, f: r * f)
        return float(np.sqrt(0.5 / overlap))

    @functools.cached_property
    def pull(self) -> float:
        """Factor on screen gradients: how much harder an error pulls this kernel than a Gaussian of
        the same screen mass. The pull grows with the integral of |grad f|, that is of f along r."""
        along = self._integral(lambda r, f: np.abs(np.gradient(f, r)) * r)
        return float(along / np.sqrt(self.screen_mass) / np.sqrt(np.pi / 2.0))

    @functools.cached_property
    def most_opaque(self) -> float:
        """Largest useful opacity: at it 1 % of the mass lies above alpha 0.99, where no gradient
        flows, as for a Gaussian of opacity 1. A flat top would lose its core at once."""
        r = np.linspace(0.0, self.support, 20_001)
        mass = np.cumsum(r * self(r * r))
        place = int(np.searchsorted(mass, _SATURATED_SHARE * mass[-1]))
        return float(min(1.0, 0.99 / self(r[place : place + 1] ** 2)[0]))

    @functools.cached_property
    def precise(self) -> Kernel:
        """The same kernel with a longer polynomial, for callers who compare digits."""
        fitted = fit_precisely(lambda q: self.closed_form(q, np), self.support, self.fitted)
        return replace(self, fitted=fitted)

    def __call__(self, q: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
        """The closed form, zero outside the support."""
        q = np.asarray(q, np.float64)
        return np.where(q <= self.support**2, self.closed_form(q, np), 0.0)

    def cutoff_q(self, opacity: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
        """q beyond which opacity * f(q) stays below 1/255, as the loops look it up."""
        faded = np.log(255.0 * np.maximum(np.asarray(opacity, np.float64), ALPHA_CUT))
        place = faded / np.log(255.0) * (CUTOFF_ENTRIES - 1)
        return np.interp(place, np.arange(CUTOFF_ENTRIES), self.cutoff_table)

    def _integral(self, integrand: Any) -> float:
        r = np.linspace(0.0, self.support, 8001)
        return float(np.trapezoid(integrand(r, self(r * r)), r))


def derive(
    name: str,
    closed_form: ClosedForm,
    support: float,
    whole_support: float | None = None,
    built_in: bool = False,
) -> Kernel:
    """Everything about a kernel from its closed form; `whole_support` bounds the integrals of psi
    and mass where they reach beyond what is drawn (the Gaussian). ValueError from `fit`."""
    psi, mass, variance = _moments(closed_form, whole_support or support)
    return Kernel(
        name=name,
        support=support,
        closed_form=closed_form,
        psi=psi,
        screen_mass=mass,
        screen_variance=variance,
        fitted=fit(lambda q: closed_form(q, np), support),
        cutoff_table=cutoffs(closed_form, support),
        built_in=built_in,
    )


def _moments(closed_form: ClosedForm, support: float) -> tuple[float, float, float]:
    """psi = (1/3) Int r^4 f / Int r^2 f, mass = Int r f, variance = (1/2) Int r^3 f / Int r f.

    Gauss-Legendre on panels, which a kink spoils in one panel only.
    """
    nodes, weights = np.polynomial.legendre.leggauss(8)
    panel = support / 600
    r = (panel * (np.arange(600)[:, None] + 0.5 + 0.5 * nodes)).ravel()
    f = closed_form(r * r, np) * np.tile(0.5 * panel * weights, 600)
    psi = np.sum(r**4 * f) / np.sum(r**2 * f) / 3.0
    mass = np.sum(r * f)
    return float(psi), float(mass), float(np.sum(r**3 * f) / mass / 2.0)


def cutoffs(closed_form: ClosedForm, support: float) -> Float64[np.ndarray, "1024"]:
    """Largest q with f(q) >= exp(-l), l from 0 to log 255: of a kernel with lobes, the last."""
    threshold = np.exp(-np.linspace(0.0, np.log(255.0), CUTOFF_ENTRIES))
    q = np.linspace(0.0, support**2, 20_001)
    # the envelope: what f still reaches farther out
    envelope = np.maximum.accumulate(closed_form(q, np)[::-1])[::-1]
    last = len(q) - 1 - np.searchsorted(envelope[::-1], threshold, side="left")
    last = np.clip(last, 0, len(q) - 2)
    low, high = q[last], q[last + 1]
    for _ in range(60):
        middle = 0.5 * (low + high)
        inside = closed_form(middle, np) >= threshold
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    # a falloff that is above the threshold up to its rim is cut there
    return np.where(envelope[-1] >= threshold, support**2, low)
