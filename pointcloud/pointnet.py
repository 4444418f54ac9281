"""PointNet (Qi et al., arXiv 1612.00593): every point through the same layers, the maximum of all.

Without the feature transform; an input transform (T-Net) stands in `point_classifier`, where the
Gaussian encoder has it, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pointcloud.largest import largest_normed


class PointNetEncoder(nn.Module):
    """Features of every point, before the maximum: layers of `widths`, batch norm after each, ReLU
    between them."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        sizes = [3, *widths]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in widths)

    def forward(self, xyz: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n e"]:
        x = self._before_last(xyz.reshape(-1, 3))
        return self.norms[-1](self.layers[-1](x)).view(*xyz.shape[:-1], -1)

    def pooled(self, xyz: Float[Tensor, "b n 3"]) -> Float[Tensor, "b e"]:
        """The maximum of each feature over the points of a cloud."""
        x = self._before_last(xyz.flatten(0, 1)).unflatten(0, xyz.shape[:2])
        layer, norm = self.layers[-1], self.norms[-1]
        assert isinstance(layer, nn.Linear) and isinstance(norm, nn.BatchNorm1d)
        return largest_normed(x, layer, norm)

    def _before_last(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, "n i"]:
        layers = zip(self.layers[:-1], self.norms[:-1], strict=True)
        for number, (layer, norm) in enumerate(layers):
            x = functional.relu(norm(layer(x) if number else self._of_places(x)))
        return x

    def _of_places(self, xyz: Float[Tensor, "n 3"]) -> Float[Tensor, "n w"]:
        """The first layer, which reads places with all their digits also under autocast."""
        device = xyz.device.type
        with torch.autocast(device, enabled=False):
            x = self.layers[0](xyz)
        if torch.is_autocast_enabled(device) and len(self.layers) > 1:
            return x.to(torch.get_autocast_dtype(device))
        return x
