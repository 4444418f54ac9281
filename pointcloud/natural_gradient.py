"""Descent along the natural gradient of Gaussians (Amari 1998; here arXiv 2511.04797).

The Fisher information of N(mu, (T T^T)^-1) is block-diagonal. Its inverse, applied to a gradient,
has a closed form that needs no matrix larger than 3x3:

    mu:  Sigma g = T^-T T^-1 g
    T:   T Phi(tril(T^T G)),  Phi halves the diagonal

for G the gradient of the lower triangle T. A step then moves a Gaussian as far as its width lets
it: how parameters are scaled makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pointcloud.config import COLUMNS, ROWS
from pointcloud.gaussian_encoder import GaussianEncoder, triangle

_LEAST_DIAGONAL = 1e-2
"""Of |T_ii|: a Gaussian that spreads over everything has a natural step without bound."""
Rule = Literal["natural", "sgd"]


def natural_mean_gradient(
    factors: Float[Tensor, "k 3 3"], gradient: Float[Tensor, "k 3"]
) -> Float[Tensor, "k 3"]:
    """Sigma g, with Sigma = (T T^T)^-1."""
    half = torch.linalg.solve_triangular(factors, gradient[..., None], upper=False)
    return torch.linalg.solve_triangular(factors.mT, half, upper=True)[..., 0]


def natural_factor_gradient(
    factors: Float[Tensor, "k 3 3"], gradient: Float[Tensor, "k 3 3"]
) -> Float[Tensor, "k 3 3"]:
    """T Phi(tril(T^T G)), again a lower triangle; of G its lower triangle counts."""
    inner = (factors.mT @ gradient.tril()).tril()
    halves = torch.ones(3, 3, dtype=inner.dtype, device=inner.device) - 0.5 * torch.eye(
        3, dtype=inner.dtype, device=inner.device
    )
    return factors @ (inner * halves)


def fisher_information(factors: Float[Tensor, "k 3 3"]) -> Float[Tensor, "k 6 6"]:
    """Of the six numbers of T, column by column: F_ij = 1/2 tr(Sigma dP_i Sigma dP_j), by which the
    closed forms are tested; dP_i is the derivative of P = T T^T."""
    sigma = torch.linalg.inv(factors @ factors.mT)
    units = factors.new_zeros(6, 3, 3)
    units[torch.arange(6), ROWS, COLUMNS] = 1.0
    slopes = units @ factors.mT[:, None] + factors[:, None] @ units.mT
    turned = sigma[:, None] @ slopes
    return 0.5 * torch.einsum("kiab,kjba->kij", turned, turned)


class GaussianDescent(torch.optim.Optimizer):
    """SGD with momentum on the means and triangles of encoders, along the natural gradient or, for
    comparison, the plain one.

    A step of a mean is at most `most` of its Gaussian's own width, one of T changes T by at most
    that share; a diagonal entry that comes near zero is held off it.
    """

    def __init__(
        self,
        encoders: Sequence[GaussianEncoder],
        rate: float,
        rule: Rule = "natural",
        momentum: float = 0.9,
        most: float = 0.2,
    ) -> None:
        self.rule, self.momentum, self.most = rule, momentum, most
        groups = [
            {"params": [one.means, one.triangles], "shape": one.config.shape} for one in encoders
        ]
        super().__init__(groups, {"lr": rate})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move; parameters without a gradient, or with one that is not finite, rest."""
        for group in self.param_groups:
            means, triangles = group["params"]
            factors = triangle(triangles, group["shape"])
            if _usable(means.grad):
                along = self._along(means, self._mean_slope(factors, means.grad))
                step = -group["lr"] * along
                # in widths of the Gaussian: ||T^T step|| is its Mahalanobis length
                length = (factors.mT @ step[..., None])[..., 0].norm(dim=-1)
                means += step * self._share(length)[:, None]
            if _usable(triangles.grad):
                slope = self._factor_slope(factors, triangles.grad, group["shape"])
                step = -group["lr"] * self._along(triangles, slope)
                relative = torch.linalg.solve_triangular(
                    factors, triangle(step, group["shape"]), upper=False
                )
                triangles += step * self._share(relative.flatten(1).norm(dim=-1))[:, None]
                _hold_off_zero(triangles)

    def _share(self, length: Float[Tensor, "k"]) -> Float[Tensor, "k"]:
        return (self.most / length.clamp(min=1e-30)).clamp(max=1.0)

    def _along(self, parameter: Tensor, slope: Tensor) -> Tensor:
        state: dict[str, Any] = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        return state["momentum"].mul_(self.momentum).add_(slope)

    def _mean_slope(self, factors: Tensor, gradient: Tensor) -> Tensor:
        return natural_mean_gradient(factors, gradient) if self.rule == "natural" else gradient

    def _factor_slope(self, factors: Tensor, entries: Tensor, shape: str) -> Tensor:
        if self.rule == "sgd":
            return entries
        gradient = triangle(entries)
        if shape == "isotropic":
            # T = t I has one number, whose information is 6 / t^2: three axes share its step
            gradient = gradient * (gradient.new_tensor([1.0, 0.0, 0.0]).diag() / 3.0)
        elif shape == "diagonal":
            gradient = gradient * torch.eye(3, dtype=gradient.dtype, device=gradient.device)
        return natural_factor_gradient(factors, gradient)[:, ROWS, COLUMNS]


def _usable(gradient: Tensor | None) -> bool:
    return gradient is not None and bool(torch.isfinite(gradient).all())


def _hold_off_zero(triangles: Float[Tensor, "k 6"]) -> None:
    diagonal = triangles[:, [0, 3, 5]]
    sign = torch.where(diagonal < 0, -1.0, 1.0).to(diagonal)
    triangles[:, [0, 3, 5]] = sign * diagonal.abs().clamp(min=_LEAST_DIAGONAL)
