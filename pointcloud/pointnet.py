"""PointNet (Qi et al., arXiv 1612.00593): every point through the same layers, the maximum of all.

Without the feature transform; an input transform (T-Net) stands in `point_classifier`, where the
Gaussian encoder has it, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class PointNetEncoder(nn.Module):
    """Features of every point, before the maximum: layers of `widths`, batch norm after each, ReLU
    between them."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        sizes = [3, *widths]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in widths)

    def forward(self, xyz: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n e"]:
        x = xyz.reshape(-1, 3)
        for depth, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            x = norm(layer(x))
            if depth < len(self.layers) - 1:
                x = functional.relu(x)
        return x.view(*xyz.shape[:-1], -1)
