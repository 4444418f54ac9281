"""The encoder: blocks in a row, between what prepares the tokens and a last normalisation."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor, nn

from backbones.block import Block
from backbones.config import BackboneConfig


class Encoder(nn.Module):
    """Tokens (b, n, width) in, tokens (b, n, width) out.

    Without masks and positions it treats tokens as a set: permuted tokens come out permuted.
    """

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width)

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
        for block in self.blocks:
            tokens = block(tokens, key_mask, attention_mask)
        tokens = self.norm(tokens)
        return tokens if key_mask is None else tokens.masked_fill(~key_mask[..., None], 0.0)

    def _check(self, tokens: Tensor, key_mask: Tensor | None, pairs: Tensor | None) -> None:
        if tokens.dim() != 3 or tokens.shape[2] != self.config.width:
            raise ValueError(
                f"tokens: expected (b, n, {self.config.width}), found {tuple(tokens.shape)}"
            )
        b, n, _ = tokens.shape
        shapes = {"key_mask": [(b, n)], "attention_mask": [(n, n), (b, n, n), (1, n, n)]}
        for name, mask in (("key_mask", key_mask), ("attention_mask", pairs)):
            if mask is not None and (str(mask.dtype), tuple(mask.shape)) not in [
                ("torch.bool", shape) for shape in shapes[name]
            ]:
                raise ValueError(
                    f"{name}: expected bool of shape {shapes[name][0]}, found {mask.dtype} of "
                    f"shape {tuple(mask.shape)}"
                )
