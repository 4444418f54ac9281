"""The encoder: blocks in a row, between what prepares the tokens and a last normalisation."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from backbones import initial_weights
from backbones.block import Block
from backbones.conditioning import condition
from backbones.config import BackboneConfig
from backbones.graying import gray
from backbones.planner import lean


class Encoder(nn.Module):
    """Tokens (b, n, width) in, tokens (b, n, width) out.

    Tokens are a set, permuted tokens come out permuted, unless the configuration orders them
    (impulse, graying=dct, mixer=conv or tokens).
    """

    def __init__(self, config: BackboneConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.plan = lean(config)
        """What is built: `config` after its own plan of heads and depth."""
        self.positions: nn.Parameter | None = None
        if config.impulse != "none" and config.mixer == "attention":
            self.positions = nn.Parameter(torch.zeros(config.places or 0, config.width))
        self.blocks = nn.ModuleList(Block(self.plan) for _ in range(self.plan.depth))
        self.norm = nn.LayerNorm(config.width)
        initial_weights.start(self, generator)

    def forward(
        self,
        tokens: Float[Tensor, "b n w"],
        *,
        key_mask: Bool[Tensor, "b n"] | None = None,
        attention_mask: Bool[Tensor, "*b n n"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        """`tokens` after all blocks.

        `key_mask` is True for tokens that count, False for padding, which comes out as zeros;
        `attention_mask`, (n, n) or (b, n, n), is True where a query (row) may look at a key
        (column). ValueError for tokens or masks of another shape.
        """
        self._check(tokens, key_mask, attention_mask)
        if key_mask is not None:
            tokens = tokens.masked_fill(~key_mask[..., None], 0.0)
        tokens = self.prepared(tokens, key_mask)
        for block in self.blocks:
            tokens = block(tokens, key_mask, attention_mask)
        tokens = self.norm(tokens)
        return tokens if key_mask is None else tokens.masked_fill(~key_mask[..., None], 0.0)

    def prepared(
        self, tokens: Float[Tensor, "b n w"], key_mask: Bool[Tensor, "b n"] | None = None
    ) -> Float[Tensor, "b n w"]:
        """Tokens as they enter the first block: grayed, placed, conditioned; padding is zero."""
        if self.config.graying != "none":
            tokens = gray(tokens, self.config.graying, self.config.gray, key_mask)
        if self.positions is not None:
            tokens = tokens + self.positions[: tokens.shape[1]]
            if key_mask is not None:
                tokens = tokens.masked_fill(~key_mask[..., None], 0.0)
        if self.config.conditioning:
            tokens = condition(tokens, self.config.conditioning)
        return tokens

    def _check(self, tokens: Tensor, key_mask: Tensor | None, pairs: Tensor | None) -> None:
        if tokens.dim() != 3 or tokens.shape[2] != self.config.width:
            raise ValueError(
                f"tokens: expected (b, n, {self.config.width}), found {tuple(tokens.shape)}"
            )
        b, n, _ = tokens.shape
        places = self.config.places
        fewer_will_do = self.config.impulse == "line" and self.config.mixer != "tokens"
        if places is not None and not (n == places or (n < places and fewer_will_do)):
            raise ValueError(
                f"tokens: expected {'at most ' if fewer_will_do else ''}{places} of them, as the "
                f"configuration says, found {n}"
            )
        shapes = {"key_mask": [(b, n)], "attention_mask": [(n, n), (b, n, n), (1, n, n)]}
        for name, mask in (("key_mask", key_mask), ("attention_mask", pairs)):
            if mask is not None and (str(mask.dtype), tuple(mask.shape)) not in [
                ("torch.bool", shape) for shape in shapes[name]
            ]:
                raise ValueError(
                    f"{name}: expected bool of shape {shapes[name][0]}, found {mask.dtype} of "
                    f"shape {tuple(mask.shape)}"
                )
