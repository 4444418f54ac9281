"""Weights that let transformer blocks train without residual connections (arXiv 2510.00345).

A skip connection adds the identity to a block's Jacobian. Without it the start must be well
conditioned by itself: values and output multiply to an orthogonal matrix, scores are largest on the
diagonal, and the MLP's layers are orthogonal. One matrix for all heads: an orthogonal product in
each head would not make their sum orthogonal.
"""

from __future__ import annotations

from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from backbones.attention import Attention
from backbones.block import Block

VALUE_GAIN = 3.0
"""c of W_V = c U and W_O = c V^T (the paper's)."""
_LARGE = (2.0, 0.6)
_SMALL = (1.0, 1.0)
_LARGE_WIDTH = 384
"""Noise and identity in query-key products: the paper's for its widths; small networks, whose heads
keep fewer directions, need more identity in the noise for a diagonal above one half. Larger values
raise the diagonal, and slow training: its loss after three epochs on clouds was 2.0 with (1, 1) and
2.4 with (2, 2)."""


def start_without_skips(block: Block, generator: torch.Generator | None = None) -> None:
    """Draw the weights of `block` so that it trains without skips; biases become 0."""
    assert isinstance(block.mixer, Attention)  # the configuration has seen to it
    with torch.no_grad():
        _values_and_output(block.mixer, generator)
        _queries_and_keys(block.mixer, generator)
        for layer in (block.mlp_in, block.mlp_out):
            scaled_orthogonal(layer.weight, generator)
        for layer in block.modules():
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.bias)


@torch.no_grad()
def scaled_orthogonal(weight: Tensor, generator: torch.Generator | None = None) -> None:
    """Orthogonal rows or columns times sqrt(max(1, out / in))."""
    rows, columns = weight.shape
    nn.init.orthogonal_(weight, gain=sqrt(max(1.0, rows / columns)), generator=generator)


def _values_and_output(attention: Attention, generator: torch.Generator | None) -> None:
    """W_V = c E, W_O = c R E^T, with E^T E = 1 and R orthogonal: W_O W_V = c^2 R."""
    values = attention.v_proj.weight
    width = values.shape[1]
    nn.init.orthogonal_(values, gain=VALUE_GAIN, generator=generator)
    turn = nn.init.orthogonal_(values.new_empty(width, width), generator=generator)
    attention.out_proj.weight.copy_(turn @ values.T)


def _queries_and_keys(attention: Attention, generator: torch.Generator | None) -> None:
    """Each head: alpha Z + beta I = U S V^T, cut to head_dim: W_Q = U sqrt(S), W_K = V sqrt(S)."""
    width = attention.q_proj.in_features
    noise, identity = _LARGE if width >= _LARGE_WIDTH else _SMALL
    queries, keys = [], []
    for _ in range(attention.heads):
        product = noise * _normal(attention.q_proj.weight, width, generator) / sqrt(width)
        product += identity * torch.eye(width, dtype=product.dtype, device=product.device)
        u, s, vh = torch.linalg.svd(product)
        kept = min(attention.head_dim, width)
        root = s[:kept, None].sqrt()
        queries.append(_padded(root * u[:, :kept].T, attention.head_dim))
        keys.append(_padded(root * vh[:kept], attention.head_dim))
    attention.q_proj.weight.copy_(torch.cat(queries))
    attention.k_proj.weight.copy_(torch.cat(keys))


def _normal(like: Tensor, width: int, generator: torch.Generator | None) -> Float[Tensor, "w w"]:
    return torch.randn(width, width, generator=generator, dtype=like.dtype, device=like.device)


def _padded(rows: Tensor, count: int) -> Tensor:
    return torch.cat([rows, rows.new_zeros(count - len(rows), rows.shape[1])])
