"""The 3D Gaussian Point Encoder (arXiv 2511.04797): a point's responses to K Gaussians, mixed.

g_k(x) = exp(-1/2 (x - mu_k)^T P_k (x - mu_k)), not normalised, with the precision P_k = T_k T_k^T
of a lower triangle T_k; features are b + sum_k W_k g_k(x). Since the exponent is a polynomial of
degree two in x, all of them are one product: Q (K, 10) with the ten monomials of each point.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pointcloud.config import COLUMNS, ROWS, GaussianConfig
from pointcloud.gaussian_starts import clustered_gaussians, starting_gaussians
from pointcloud.largest import largest

_DIAGONAL = (0, 3, 5)


class GaussianEncoder(nn.Module):
    """Features of every point, before the maximum."""

    def __init__(self, config: GaussianConfig, width: int) -> None:
        super().__init__()
        self.config = config
        means, triangles = starting_gaussians(config)
        self.means = nn.Parameter(means)
        self.triangles = nn.Parameter(triangles)
        self.mixer = nn.Linear(config.gaussians, width)

    @torch.no_grad()
    def start_at(self, points: Float[Tensor, "n 3"]) -> None:
        """Put the Gaussians where `points` are (k-means)."""
        for own, found in zip(
            (self.means, self.triangles), clustered_gaussians(self.config, points), strict=True
        ):
            own.copy_(found)

    def factors(self) -> Float[Tensor, "k 3 3"]:
        """T, of the configured shape."""
        return triangle(self.triangles, self.config.shape)

    def precisions(self) -> Float[Tensor, "k 3 3"]:
        """P = T T^T."""
        factors = self.factors()
        return factors @ factors.mT

    def responses(self, xyz: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n k"]:
        """g_k(x), at most 1."""
        # exponents are small differences of large terms, whatever else is multiplied in bfloat16
        with torch.autocast(xyz.device.type, enabled=False):
            exponents = monomials(xyz) @ quadratic_form(self.means, self.precisions()).mT
            return exponents.clamp(max=0.0).exp()  # rounding may lift one a little above 0

    def forward(self, xyz: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n e"]:
        return self.mixer(self.responses(xyz))

    def pooled(self, xyz: Float[Tensor, "b n 3"]) -> Float[Tensor, "b e"]:
        """The maximum of each feature over the points of a cloud."""
        return largest(self.responses(xyz), self.mixer)


def triangle(entries: Float[Tensor, "k 6"], shape: str = "full") -> Float[Tensor, "k 3 3"]:
    """T from its six numbers; what the shape does not use has no effect."""
    if shape == "isotropic":
        return entries[:, :1, None] * torch.eye(3, dtype=entries.dtype, device=entries.device)
    if shape == "diagonal":
        return torch.diag_embed(entries[:, _DIAGONAL])
    factors = entries.new_zeros(len(entries), 3, 3)
    factors[:, ROWS, COLUMNS] = entries
    return factors


def monomials(xyz: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 10"]:
    """x^2, y^2, z^2, xy, xz, yz, x, y, z, 1."""
    x, y, z = xyz.unbind(-1)
    products = torch.stack([x * x, y * y, z * z, x * y, x * z, y * z], -1)
    return torch.cat([products, xyz, torch.ones_like(xyz[..., :1])], -1)


def quadratic_form(
    means: Float[Tensor, "k 3"], precisions: Float[Tensor, "k 3 3"]
) -> Float[Tensor, "k 10"]:
    """Q: the exponents -1/2 (x - mu)^T P (x - mu) are Q times the monomials of x."""
    p = precisions
    slopes = (p @ means[..., None])[..., 0]
    constants = -0.5 * (slopes * means).sum(-1, keepdim=True)
    squares = -0.5 * torch.stack([p[:, 0, 0], p[:, 1, 1], p[:, 2, 2]], -1)
    mixed = -torch.stack([p[:, 0, 1], p[:, 0, 2], p[:, 1, 2]], -1)
    return torch.cat([squares, mixed, slopes, constants], -1)
