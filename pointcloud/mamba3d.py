"""Mamba3D (arXiv 2404.14966): groups of points as tokens, mixed by state-space blocks.

A token is made by a small PointNet of the group, or by a Gaussian encoder (arXiv 2511.04797). Each
block adds what centres learn from their neighbours (`local_norm_pooling`) and what a bidirectional
scan finds (`bidirectional_scan`). Two things differ from the public code, where an answer depends
on the rest of its batch: features are scaled by the spread within their own cloud, and the mean of
tokens is each cloud's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pointcloud.bidirectional_scan import BidirectionalScan
from pointcloud.config import GROUP_WIDTHS, NECK_WIDTH, PLACE_WIDTH, MambaConfig
from pointcloud.extent_layer import extent_inputs, extent_layer, with_extent
from pointcloud.gaussian_encoder import GaussianEncoder
from pointcloud.group_maximum import group_maximum
from pointcloud.grouping import GROUP_SCALE, grouped
from pointcloud.local_norm_pooling import LocalNormPooling, nearest_centres


class GroupEncoder(nn.Module):
    """Features of every point of a group before the maximum, as Point-MAE makes them: each point
    is seen beside the maximum of its group."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second, third = GROUP_WIDTHS
        self.layers = nn.ModuleList(
            nn.Linear(a, b)
            for a, b in (
                (3, first),
                (first, second),
                (2 * second, third),
                (third, width),
            )
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(n) for n in (first, third))

    def forward(self, xyz: Float[Tensor, "b c k 3"]) -> Float[Tensor, "b c k w"]:
        shape = xyz.shape[:-1]
        x = xyz.reshape(-1, 3)
        x = self.layers[1](_relu(self.norms[0](self.layers[0](x)))).view(*shape, -1)
        # a layer of both, group and point, is the sum of one of each: that of the group once
        both = self.layers[2]
        assert isinstance(both, nn.Linear)
        of_group, of_point = both.weight.chunk(2, 1)
        group = functional.linear(group_maximum(x)[:, :, None], of_group, both.bias)
        x = functional.linear(x, of_point).add_(group).flatten(0, 2)
        return self.layers[3](_relu(self.norms[1](x))).view(*shape, -1)


def _relu(x: Tensor) -> Tensor:
    """In place: at this size new memory costs more than the work."""
    return functional.relu(x, inplace=True)


class Block(nn.Module):
    """What neighbours say, then what the scan says, each added to the tokens."""

    def __init__(self, config: MambaConfig) -> None:
        super().__init__()
        self.drop_path = config.drop_path
        self.local_norm = nn.LayerNorm(config.width)
        self.local = LocalNormPooling(config.width)
        self.scan_norm = nn.LayerNorm(config.width)
        self.scan = BidirectionalScan(config)

    def forward(
        self, tokens: Float[Tensor, "b t w"], near: Tensor, places: Float[Tensor, "b t w"]
    ) -> Float[Tensor, "b t w"]:
        x = tokens + places
        x = x + self._kept(self.local(self.local_norm(x), near))
        return x + self._kept(self.scan(self.scan_norm(x)))

    def _kept(self, branch: Tensor) -> Tensor:
        if not self.training or not self.drop_path:
            return branch
        keep = 1.0 - self.drop_path
        return branch * (torch.rand(len(branch), 1, 1) < keep).to(branch) / keep


class Mamba3d(nn.Module):
    """Clouds in, a score for each class out."""

    def __init__(self, config: MambaConfig, classes: int) -> None:
        super().__init__()
        self.config = config
        width = config.width
        if config.encoder == "gaussian":
            self.encoder: nn.Module = GaussianEncoder(config.gaussian, width)
        else:
            self.encoder = GroupEncoder(width)
        self.first = nn.Parameter(torch.zeros(width))
        self.first_place = nn.Parameter(0.02 * torch.randn(width))
        self.place_in = nn.Linear(3, PLACE_WIDTH)
        self.place_out = nn.Linear(PLACE_WIDTH, width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width)
        self.extent = extent_layer(config, 2 * width)
        self.neck = nn.ModuleList([nn.Linear(2 * width, NECK_WIDTH)])
        self.neck.append(nn.Linear(NECK_WIDTH, NECK_WIDTH))
        self.neck_norms = nn.ModuleList(nn.BatchNorm1d(NECK_WIDTH) for _ in self.neck)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(NECK_WIDTH, classes)

    def prepare(
        self,
        clouds: Sequence[Float[np.ndarray, "_ 3"]],
        starts: Sequence[int] | None = None,
        shifts: Float[np.ndarray, "b 1 3"] | None = None,
        centres: int | None = None,
    ) -> tuple[Tensor, ...]:
        """Centres (b, c, 3), each far from those before it, as many as the model's or `centres`,
        and their groups (b, c, k, 3); centres move by `shifts`. Extents (b, 4) stand beside them if
        the model looks at sizes."""
        config = self.config
        sizes = (config.points, centres or config.centres, config.neighbours)
        places, groups = map(torch.from_numpy, grouped(clouds, sizes, starts))
        places = places if shifts is None else places + torch.from_numpy(shifts)
        return places, groups, *extent_inputs(config, clouds)

    def point_features(self, groups: Float[Tensor, "b c k 3"]) -> Float[Tensor, "b c k w"]:
        """What becomes a token as its maximum over k; distillation compares these."""
        return self.encoder(GROUP_SCALE * groups)

    def features(
        self,
        centres: Float[Tensor, "b c 3"],
        groups: Float[Tensor, "b c k 3"],
        *extents: Float[Tensor, "b 4"],
    ) -> Float[Tensor, "b n"]:
        """What the head reads: one vector a cloud."""
        tokens = group_maximum(self.point_features(groups))
        places = self.place_out(functional.silu(self.place_in(centres)))
        rows = (len(tokens), 1, -1)
        tokens = torch.cat([self.first.expand(rows), tokens], 1)
        places = torch.cat([self.first_place.expand(rows), places], 1)
        near = nearest_centres(centres, self.config.around)
        for block in self.blocks:
            tokens = block(tokens, near, places)
        tokens = self.norm(tokens)
        others = tokens[:, 1:]
        x = torch.cat([tokens[:, 0], others.amax(1) + others.mean(1)], -1)
        x = with_extent(self.extent, x, extents)
        for layer, norm in zip(self.neck, self.neck_norms, strict=True):
            x = self.dropout(functional.relu(norm(layer(x))))
        return x

    def forward(
        self,
        centres: Float[Tensor, "b c 3"],
        groups: Float[Tensor, "b c k 3"],
        *extents: Float[Tensor, "b 4"],
    ) -> Float[Tensor, "b classes"]:
        return self.head(self.features(centres, groups, *extents))
