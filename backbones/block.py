"""One transformer block: mix tokens, then each token alone; normalised before each (pre-LN)."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor, nn

from backbones.activations import Activation
from backbones.attention import Attention
from backbones.config import BackboneConfig
from backbones.mixers import ConvMixer, TokenMixer

MIXERS = {"attention": Attention, "conv": ConvMixer, "tokens": TokenMixer}


class Block(nn.Module):
    """x + Mixer(LN x), then x + MLP(LN x); the configuration may leave either x + out."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.skips_mixer = config.skips == "both"
        self.skips_mlp = config.skips in ("both", "mlp")
        self.mixer_norm = nn.LayerNorm(config.width)
        self.mixer: Attention | ConvMixer | TokenMixer = MIXERS[config.mixer](config)
        self.mlp_norm = nn.LayerNorm(config.width)
        self.mlp_in = nn.Linear(config.width, config.hidden)
        self.activation = Activation(config.activation, config.activation_scale)
        self.mlp_out = nn.Linear(config.hidden, config.width)

    def forward(
        self,
        tokens: Float[Tensor, "b n w"],
        key_mask: Bool[Tensor, "b n"] | None = None,
        attention_mask: Bool[Tensor, "*b n n"] | None = None,
        attention_bias: Float[Tensor, "b h n n"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        mixed = self.mixer(self.mixer_norm(tokens), key_mask, attention_mask, attention_bias)
        tokens = tokens + mixed if self.skips_mixer else mixed
        changed = self.mlp_out(self.activation(self.mlp_in(self.mlp_norm(tokens))))
        return tokens + changed if self.skips_mlp else changed
