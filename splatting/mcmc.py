"""Density control as Markov chain Monte Carlo, exact for every kernel (3DGS-MCMC, arXiv
2404.09591).

Splats are samples: positions take noise, dead ones move onto live ones, and the number grows to a
cap. N splats stacked on one spot must look like the one that was there. With opacity 1 - (1 - o)^(1
/ N) they do at the centre; the paper's scale factor makes the integral along a line through it
equal too. Its 1 / sqrt(k + 1) are the Gaussian's moments m_n = Int f^n / Int f of that line; here
they are the kernel's own. All edits are pure: (splats, moments) in, (splats, moments) out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from data.geometry import rotation_from_quat
from splatting.densification import Moments, blank_rows
from splatting.kernels import Kernel
from splatting.kernels.kernel import MOST_COPIES
from splatting.splats import PARAMETERS, Splats, concatenate

NOISE = 80.0
"""Noise in units of covariance over scene radius: 5e5 times 3DGS's first rate of positions."""
_GATE_STEEPNESS, _GATE_OPACITY = 100.0, 0.005
_LEAST_OPACITY = 1e-3
"""Of a copy: an opacity of 0 has no logit."""


def shared_opacity(
    opacity: Float64[np.ndarray, "n"], copies: Int64[np.ndarray, "n"]
) -> Float64[np.ndarray, "n"]:
    """Opacity of each of `copies` splats that together let through what one of `opacity` did."""
    return 1.0 - (1.0 - opacity) ** (1.0 / copies)


def shared_scale(
    kernel: Kernel,
    opacity: Float64[np.ndarray, "n"],
    copies: Int64[np.ndarray, "n"],
    each: Float64[np.ndarray, "n"],
) -> Float64[np.ndarray, "n"]:
    """Factor on sigma of `copies` splats of opacity `each` in place of one of `opacity`.

    Equation 9 of the paper: o / sum_{i=1..N} sum_{k<i} (-1)^k C(i - 1, k) each^(k + 1) m_(k + 1).
    The inner sums are Int f each (1 - each f)^(i - 1), so the whole is Int 1 - (1 - each f)^N,
    taken here by quadrature: the alternating binomials cancel to noise for fifty copies.
    """
    r = np.linspace(0.0, kernel.support, 501)
    f = kernel(r * r)
    line = np.trapezoid(f, r)
    stacked = 1.0 - (1.0 - each[:, None] * f) ** copies[:, None]
    return opacity * line / np.trapezoid(stacked, r, axis=1)


def relocate(
    splats: Splats,
    moments: Moments,
    dead: Bool[np.ndarray, "n"],
    generator: np.random.Generator,
) -> tuple[Splats, Moments]:
    """`dead` splats moved onto live ones, drawn by opacity; each group looks as its one did."""
    live, moved = np.flatnonzero(~dead), np.flatnonzero(dead)
    if not len(live) or not len(moved):
        return splats, moments
    sources = _draw(splats, live, len(moved), generator)
    thinned = _stack(splats, sources)
    columns = {name: array.copy() for name, array in thinned.arrays().items()}
    for name in PARAMETERS:
        columns[name][moved] = columns[name][sources]
    return replace(thinned, **columns), blank_rows(moments, np.concatenate([moved, sources]))


def grow(
    splats: Splats, moments: Moments, count: int, generator: np.random.Generator
) -> tuple[Splats, Moments]:
    """`count` more splats, on live ones drawn by opacity; each group looks as its one did."""
    if count <= 0 or not len(splats):
        return splats, moments
    sources = _draw(splats, np.arange(len(splats)), count, generator)
    thinned = _stack(splats, sources)
    emptied = blank_rows(moments, sources)
    joined = {
        name: tuple(np.concatenate([m, np.zeros((count, *m.shape[1:]), m.dtype)]) for m in of_name)
        for name, of_name in emptied.items()
    }
    return concatenate([thinned, thinned.take(sources)]), joined  # type: ignore[return-value]


def add_noise(splats: Splats, rate: float, radius: float, generator: np.random.Generator) -> None:
    """Shake the positions of nearly transparent splats along their own covariance, in place.

    `rate` is 1 at the start of training and falls with the rate of positions; the noise is psi
    Sigma / radius times a normal draw, which is a length.
    """
    opacity = _opacity(splats.logit_opacities)
    gate = 1.0 / (1.0 + np.exp(_GATE_STEEPNESS * (opacity - _GATE_OPACITY)))
    shaken = np.flatnonzero(gate > 1e-4)
    if not len(shaken):
        return
    axes = rotation_from_quat(splats.quats[shaken])
    variances = np.exp(2.0 * splats.log_scales[shaken].astype(np.float64))
    draw = generator.standard_normal((len(shaken), 3)) * gate[shaken, None]
    along = np.einsum("nji,nj->ni", axes, draw) * variances
    noise = np.einsum("nij,nj->ni", axes, along)
    splats.means[shaken] += (NOISE * rate * splats.kernel.psi / radius * noise).astype(np.float32)


def _opacity(logits: np.ndarray) -> Float64[np.ndarray, "n"]:
    return 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))


def _draw(
    splats: Splats, among: np.ndarray, count: int, generator: np.random.Generator
) -> Int64[np.ndarray, "count"]:
    weight = _opacity(splats.logit_opacities[among])
    return among[generator.choice(len(among), count, p=weight / weight.sum())]


def _stack(splats: Splats, sources: np.ndarray) -> Splats:
    """`splats` with each drawn source as thin as its place in a group asks for."""
    spots, drawn = np.unique(sources, return_counts=True)
    copies = np.minimum(drawn + 1, MOST_COPIES)
    opacity = np.clip(_opacity(splats.logit_opacities[spots]), 1e-6, 1 - 1e-6)
    each = np.clip(shared_opacity(opacity, copies), _LEAST_OPACITY, 1 - 1e-6)
    factor = shared_scale(splats.kernel, opacity, copies, each)
    logits, log_scales = splats.logit_opacities.copy(), splats.log_scales.copy()
    logits[spots] = np.log(each / (1.0 - each))
    log_scales[spots] += np.log(factor)[:, None].astype(np.float32)
    return replace(splats, logit_opacities=logits, log_scales=log_scales)
