"""BackboneConfig: every choice of a transformer backbone; each field is an option of the command
line, and stands in every saved model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LEAST = {"width": 1, "depth": 1, "heads": 1, "head_dim": 1}


@dataclass(frozen=True)
class BackboneConfig:
    """How tokens are mixed. ValueError for options that exclude each other."""

    width: int = 64
    """Numbers in a token."""
    depth: int = 4
    """Blocks, one after the other."""
    heads: int = 4
    """Attention heads, of any number: heads x head_dim need not be the width."""
    head_dim: int = 16
    """Numbers in the query, key and value of one head."""
    mlp_ratio: float = 2.0
    """Hidden units of a block's MLP over the width."""
    attention: Literal["softmax"] = "softmax"
    """What turns scores into weights."""

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected {least} or more, found {getattr(self, name)}")
        if not 0 < self.mlp_ratio <= 64:
            raise ValueError(f"mlp_ratio: expected above 0, to 64, found {self.mlp_ratio}")

    @property
    def inner(self) -> int:
        """Numbers in all heads of one token."""
        return self.heads * self.head_dim

    @property
    def hidden(self) -> int:
        """Hidden units of a block's MLP."""
        return max(1, round(self.width * self.mlp_ratio))
