"""A small point transformer: grouped points become tokens, `backbones.Encoder` mixes them.

Each group around a centre is read by a PointNet of its own (shared layers on every point, maximum
over the group; as in Point-MAE, arXiv 2203.06604), and the centre's place is added. No layer
looks at other clouds: an answer does not depend on what it was computed with.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from backbones.encoder import Encoder
from backbones.ordering import morton_order
from pointcloud.config import TransformerConfig
from pointcloud.extent_layer import extent_inputs, extent_layer, with_extent
from pointcloud.group_maximum import group_maximum
from pointcloud.grouping import GROUP_SCALE, grouped

_POINT_WIDTHS = (64, 128)
_PLACE_WIDTH = 64


class PointTransformer(nn.Module):
    """Clouds in, a score for each class out."""

    def __init__(self, config: TransformerConfig, classes: int) -> None:
        super().__init__()
        self.config = config
        width = config.backbone.width
        inner, outer = _POINT_WIDTHS
        self.point_in = nn.Linear(3, inner)
        self.point_out = nn.Linear(inner, outer)
        self.token = nn.Linear(outer, width)
        self.place_in = nn.Linear(3, _PLACE_WIDTH)
        self.place_out = nn.Linear(_PLACE_WIDTH, width)
        self.encoder = Encoder(config.backbone)
        self.extent = extent_layer(config, 2 * width)
        self.neck = nn.Linear(2 * width, width)
        self.head = nn.Linear(width, classes)

    def prepare(
        self,
        clouds: Sequence[Float[np.ndarray, "_ 3"]],
        starts: Sequence[int] | None = None,
        shifts: Float[np.ndarray, "b 1 3"] | None = None,
        centres: int | None = None,
    ) -> tuple[Tensor, ...]:
        """Centres (b, c, 3) and groups (b, c, k, 3) of clouds of any sizes, places and units, and
        their extents (b, 4) if the model looks at sizes.

        There are as many centres as the model's, or `centres`; the first is the point that `starts`
        says, else a cloud's first; they move by `shifts`.
        """
        config = self.config
        sizes = (config.points, centres or config.centres, config.neighbours)
        places, groups = map(torch.from_numpy, grouped(clouds, sizes, starts))
        # some options of the encoder mix along the order of tokens
        order = morton_order(places)
        rows = torch.arange(len(places))[:, None]
        places, groups = places[rows, order], groups[rows, order]
        places = places if shifts is None else places + torch.from_numpy(shifts)
        return places, groups, *extent_inputs(config, clouds)

    def tokens(
        self, centres: Float[Tensor, "b c 3"], groups: Float[Tensor, "b c k 3"]
    ) -> Float[Tensor, "b c w"]:
        """What enters the encoder."""
        points = functional.gelu(self.point_in(GROUP_SCALE * groups))
        shapes = self.token(group_maximum(self.point_out(points)))
        return shapes + self.place_out(functional.gelu(self.place_in(centres)))

    def features(
        self,
        centres: Float[Tensor, "b c 3"],
        groups: Float[Tensor, "b c k 3"],
        *extents: Float[Tensor, "b 4"],
    ) -> Float[Tensor, "b w"]:
        """What the head reads: one vector a cloud."""
        mixed = self.encoder(self.tokens(centres, groups))
        pooled = torch.cat([mixed.amax(1), mixed.mean(1)], -1)
        return functional.gelu(self.neck(with_extent(self.extent, pooled, extents)))

    def forward(
        self,
        centres: Float[Tensor, "b c 3"],
        groups: Float[Tensor, "b c k 3"],
        *extents: Float[Tensor, "b 4"],
    ) -> Float[Tensor, "b classes"]:
        return self.head(self.features(centres, groups, *extents))
