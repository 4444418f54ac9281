"""Classifiers whose features are a maximum over points: PointNet, and 3DGPE with its Gaussians.

The encoder differs; the input transform (T-Net) and the head are the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pointcloud.config import INNER, GaussianNetConfig, PointNetConfig
from pointcloud.extent_layer import extent_inputs, extent_layer, with_extent
from pointcloud.gaussian_encoder import GaussianEncoder
from pointcloud.grouping import normalised
from pointcloud.pointnet import PointNetEncoder


def new_encoder(config: PointNetConfig | GaussianNetConfig) -> PointNetEncoder | GaussianEncoder:
    """What makes features of points."""
    if isinstance(config, PointNetConfig):
        return PointNetEncoder(config.widths)
    return GaussianEncoder(config.encoder, config.width)


class TNet(nn.Module):
    """A 3x3 matrix for each cloud, the identity at the start."""

    def __init__(self, encoder: PointNetEncoder | GaussianEncoder, width: int) -> None:
        super().__init__()
        self.encoder = encoder
        sizes = (width, *INNER)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, INNER, strict=False))
        self.norms = nn.ModuleList(nn.BatchNorm1d(inner) for inner in INNER)
        self.matrix = nn.Linear(INNER[-1], 9)
        nn.init.zeros_(self.matrix.weight)
        nn.init.zeros_(self.matrix.bias)

    def forward(self, xyz: Float[Tensor, "b n 3"]) -> Float[Tensor, "b 3 3"]:
        x = functional.relu(self.encoder.pooled(xyz))
        with torch.autocast(x.device.type, enabled=False):
            for layer, norm in zip(self.layers, self.norms, strict=True):
                x = functional.relu(norm(layer(x)))
            return self.matrix(x).view(-1, 3, 3) + torch.eye(3, dtype=x.dtype, device=x.device)


class Neck(nn.Module):
    """A cloud's features, made smaller: what the head reads."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        sizes = (width, *INNER)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, INNER, strict=False))
        self.norms = nn.ModuleList(nn.BatchNorm1d(inner) for inner in INNER)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "b w"]) -> Float[Tensor, "b i"]:
        x = functional.relu(self.norms[0](self.layers[0](x)))
        return functional.relu(self.norms[1](self.dropout(self.layers[1](x))))


class PointClassifier(nn.Module):
    """Clouds in, a score for each class out; a point that occurs twice counts once."""

    def __init__(self, config: PointNetConfig | GaussianNetConfig, classes: int) -> None:
        super().__init__()
        self.config = config
        self.t_net = TNet(new_encoder(config), config.width) if config.t_net else None
        self.encoder = new_encoder(config)
        self.extent = extent_layer(config, config.width)
        self.neck = Neck(config.width, config.dropout)
        self.head = nn.Linear(INNER[-1], classes)

    def prepare(
        self,
        clouds: Sequence[Float[np.ndarray, "_ 3"]],
        starts: Sequence[int] | None = None,
        shifts: Float[np.ndarray, "b 1 3"] | None = None,
    ) -> tuple[Tensor, ...]:
        """Clouds of any sizes, places and units as one tensor (b, n, 3); short ones repeat their
        points. Their extents (b, 4) stand beside them if the model looks at sizes.

        All move by `shifts`; `starts` say nothing to a set of points.
        """
        cut = [normalised(cloud, self.config.points) for cloud in clouds]
        most = max(map(len, cut))
        xyz = np.stack([cloud[np.arange(most) % len(cloud)] for cloud in cut])
        points = torch.from_numpy(xyz if shifts is None else xyz + shifts)
        return points, *extent_inputs(self.config, clouds)

    def turned(self, xyz: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
        """Points as the encoder sees them: x' = x A of the T-Net."""
        if self.t_net is None:
            return xyz
        matrix = self.t_net(xyz)
        with torch.autocast(xyz.device.type, enabled=False):
            return xyz @ matrix

    def features(
        self, xyz: Float[Tensor, "b n 3"], *extents: Float[Tensor, "b 4"]
    ) -> Float[Tensor, "b i"]:
        """What the head reads: one vector a cloud."""
        pooled = self.encoder.pooled(self.turned(xyz))
        return self.neck(with_extent(self.extent, pooled, extents))

    def forward(
        self, xyz: Float[Tensor, "b n 3"], *extents: Float[Tensor, "b 4"]
    ) -> Float[Tensor, "b classes"]:
        return self.head(self.features(xyz, *extents))
