"""Un-shuffling: tokens arrive in one fixed random order, and what they were is asked for in the
true one (arXiv 2503.16760). A test of what spatial mixing has learned: it needs all of it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from backbones.config import BackboneConfig
from backbones.encoder import Encoder


class Unshuffler(nn.Module):
    """Values (b, n, channels) of n ordered tokens in, the same values out, although the encoder
    sees them permuted. The permutation is kept with the weights."""

    permutation: Tensor

    def __init__(
        self,
        config: BackboneConfig,
        channels: int,
        tokens: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(channels, config.width)
        self.encoder = Encoder(config, generator)
        self.head = nn.Linear(config.width, channels)
        self.register_buffer("permutation", torch.randperm(tokens, generator=generator))

    def forward(self, values: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        return self.head(self.encoder(self.embed(self.shuffled(values))))

    def shuffled(self, values: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """What the encoder is given."""
        if values.shape[1] != len(self.permutation):
            raise ValueError(
                f"values: expected {len(self.permutation)} tokens, found {values.shape[1]}"
            )
        return values[:, self.permutation]
