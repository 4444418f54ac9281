"""What a cloud's size adds to its features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from pointcloud.config import ModelConfig
from pointcloud.extents import EXTENTS, FARTHEST, extents


class ExtentLayer(nn.Module):
    """Extents, each by the mean and spread of the training data, to features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(EXTENTS, affine=False)
        self.layer = nn.Linear(EXTENTS, width)

    def forward(self, found: Float[Tensor, "b 4"]) -> Float[Tensor, "b w"]:
        return self.layer(self.norm(found).clamp(-FARTHEST, FARTHEST))


def extent_layer(config: ModelConfig, width: int) -> ExtentLayer | None:
    """Of a model that knows sizes."""
    return ExtentLayer(width) if config.metric else None


def with_extent(
    layer: ExtentLayer | None, features: Float[Tensor, "b w"], found: Sequence[Tensor]
) -> Float[Tensor, "b w"]:
    """Features, and what the extents `found` of a model that knows sizes add to them."""
    return features if layer is None else features + layer(*found)


def extent_inputs(
    config: ModelConfig, clouds: Sequence[Float[np.ndarray, "_ 3"]]
) -> tuple[Float[Tensor, "b 4"], ...]:
    """What a model that knows sizes is given beside the points; nothing for another."""
    return (torch.from_numpy(extents(clouds, config.points)),) if config.metric else ()
