"""Gradient descent as shrinkage: how long a training is, told as a bandwidth (arXiv 2504.18207).

Of a linear model Phi w with singular values s, q steps of gradient descent from zero at rate a fit
the share 1 - (1 - a s^2)^q of each component of the data. So a component is learned when s is above
a cut-off, and with singular values that fall like k^-p (activations that rise: step 1, relu 2) the
number of learned ones grows as (a q)^(1 / 2p): training longer is widening a band.
"""

from __future__ import annotations

from math import ceil, log

import numpy as np
from jaxtyping import Float64


def mask(s: Float64[np.ndarray, "n"], rate: float, steps: int) -> Float64[np.ndarray, "n"]:
    """Share of each component that is fitted after `steps` of `rate`."""
    return 1.0 - (1.0 - rate * np.square(s)) ** steps


def cutoff(rate: float, steps: float, residual: float = 0.5) -> float:
    """Singular value above which less than `residual` of a component is left."""
    return float(np.sqrt(-np.expm1(log(residual) / steps) / rate))


def bandwidth(s: Float64[np.ndarray, "n"], rate: float, steps: float, residual: float = 0.5) -> int:
    """How many components are learned."""
    return int((np.asarray(s) > cutoff(rate, steps, residual)).sum())


def steps_for(
    s: Float64[np.ndarray, "n"], components: int, rate: float, residual: float = 0.5
) -> int:
    """Steps after which `components` are learned, the strongest first: ln(1 / residual) / (a s^2)
    for small a s^2."""
    weakest = float(np.sort(np.asarray(s))[::-1][components - 1])
    if weakest <= 0:
        raise ValueError(f"components: expected at most the rank, found {components}")
    left = log(max(1.0 - rate * weakest**2, 1e-300))
    return max(1, ceil(log(residual) / left))


def growth_exponent(decay: float) -> float:
    """Slope of log(components) over log(steps) for singular values that fall like k^-decay."""
    return 1.0 / (2.0 * decay)


def spline_basis(
    x: Float64[np.ndarray, "n"], knots: Float64[np.ndarray, "m"], name: str, scale: float = 1.0
) -> Float64[np.ndarray, "n m"]:
    """act((x_i - b_j) / scale), of an activation of ours, or "step" and "sigmoid"."""
    import torch

    from backbones.activations import ACTIVATIONS

    across = torch.from_numpy((x[:, None] - knots[None, :]) / scale)
    if name == "step":
        return (across > 0).double().numpy()
    return (torch.sigmoid if name == "sigmoid" else ACTIVATIONS[name])(across).numpy()
