"""One transformer block: mix tokens, then each token alone; normalised before each (pre-LN)."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from backbones.attention import Attention
from backbones.config import BackboneConfig


class Block(nn.Module):
    """x + Attention(LN x), then x + MLP(LN x)."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.mixer_norm = nn.LayerNorm(config.width)
        self.mixer = Attention(config)
        self.mlp_norm = nn.LayerNorm(config.width)
        self.mlp_in = nn.Linear(config.width, config.hidden)
        self.mlp_out = nn.Linear(config.hidden, config.width)

    def forward(
        self,
        tokens: Float[Tensor, "b n w"],
        key_mask: Bool[Tensor, "b n"] | None = None,
        attention_mask: Bool[Tensor, "*b n n"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        tokens = tokens + self.mixer(self.mixer_norm(tokens), key_mask, attention_mask)
        return tokens + self.mlp(self.mlp_norm(tokens))

    def mlp(self, tokens: Float[Tensor, "b n w"]) -> Float[Tensor, "b n w"]:
        """Each token alone."""
        return self.mlp_out(functional.gelu(self.mlp_in(tokens)))
