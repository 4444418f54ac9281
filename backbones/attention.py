"""Attention over a set of tokens: four linear layers by name, and what turns scores into weights.

Queries, keys, values and the output are layers of their own, so that an adapter or an
initialisation finds each by its name. `heads` and `head_dim` do not depend on the width.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from backbones.config import BackboneConfig
from backbones.polynomial import polynomial_attention

POWERS = {"poly2": 2, "poly3": 3}


def allowed_pairs(
    key_mask: Bool[Tensor, "b n"] | None, attention_mask: Bool[Tensor, "*b n n"] | None
) -> Bool[Tensor, "b h m n"] | None:
    """Which query may look at which key, or None for all: both masks at once.

    Masks are True where a token counts and where a query may look; a key mask alone gives m = 1. An
    attention mask (b, h, n, n) has its own pairs for each head, others the same for all (h = 1).
    """
    pairs = attention_mask
    if pairs is not None and pairs.dim() == 2:
        pairs = pairs[None]
    if pairs is not None and pairs.dim() == 3:
        pairs = pairs[:, None]
    if key_mask is None:
        return pairs
    keys = key_mask[:, None, None, :]
    return keys if pairs is None else pairs & keys


def softmax_attention(
    q: Float[Tensor, "b h n d"],
    k: Float[Tensor, "b h n d"],
    v: Float[Tensor, "b h n d"],
    allowed: Bool[Tensor, "b h m n"] | None = None,
    bias: Float[Tensor, "b h n n"] | None = None,
) -> Float[Tensor, "b h n d"]:
    """softmax(q k^T / sqrt(d) + bias) v through torch's fused kernels; zeros for a query that may
    look nowhere."""
    if allowed is None:
        return biased_attention(q, k, v, bias)
    # a row of -inf has no softmax, nor a gradient: such a row looks everywhere, and is dropped
    somewhere = allowed.any(-1, keepdim=True)
    mask = allowed | ~somewhere
    if bias is not None:
        mask = bias.masked_fill(~mask, float("-inf"))
    mixed = _fused(q, k, v, mask)
    return mixed.masked_fill(~somewhere, 0.0)


def biased_attention(
    q: Float[Tensor, "b h n d"],
    k: Float[Tensor, "b h n d"],
    v: Float[Tensor, "b h n d"],
    bias: Float[Tensor, "c h n n"] | None,
) -> Float[Tensor, "b h n d"]:
    """softmax(q k^T / sqrt(d) + bias) v where every query may look somewhere.

    A bias of fewer rows serves b/c rows of the batch each, in turn. torch's kernels have no
    gradient for a bias; where one is wanted on a CPU, of heads of 16, 32, ... numbers in less than
    float64, loops of our own run.
    """
    if bias is None:
        return _fused(q, k, v)
    exact = torch.float64 in (q.dtype, bias.dtype)
    if torch.is_grad_enabled() and q.device.type == "cpu" and not (exact or q.shape[-1] % 16):
        return _Biased.apply(q, k, v, bias)  # type: ignore[return-value]
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    scores = scores.unflatten(0, (len(bias), -1)) + bias[:, None]
    return scores.softmax(-1).flatten(0, 1) @ v


def _fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """torch's kernel; in float32 where a CPU is to find gradients of bfloat16, which take that
    kernel four times as long."""
    kind = q.dtype
    if kind != torch.bfloat16 or q.device.type != "cpu" or not torch.is_grad_enabled():
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    if mask is not None and mask.is_floating_point():
        mask = mask.float()
    with torch.autocast("cpu", enabled=False):
        tokens = (x.float() for x in (q, k, v))
        return functional.scaled_dot_product_attention(*tokens, attn_mask=mask).to(kind)


class _Biased(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> Tensor:  # type: ignore[override]
        from backbones.cpu.biased_attention import forward

        *tokens, bias = given
        arrays = [*map(_by_token, tokens), bias.detach().float().contiguous()]
        out = torch.empty_like(arrays[0])
        log_sums = out.new_empty(len(out), out.shape[2], out.shape[1])
        forward(*(x.numpy() for x in (*arrays, out, log_sums)))
        ctx.save_for_backward(*arrays, out, log_sums)
        ctx.kinds = [x.dtype for x in given]
        return out.transpose(1, 2).to(given[0].dtype)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        from backbones.cpu.biased_attention import backward

        arrays = ctx.saved_tensors
        q, k, v, bias = arrays[:4]
        found = [torch.empty_like(q), *(torch.zeros_like(x) for x in (k, v, bias))]
        backward(*(x.numpy() for x in (*arrays, _by_token(slope), *found)))
        found[:3] = (x.transpose(1, 2) for x in found[:3])
        return tuple(x.to(kind) for x, kind in zip(found, ctx.kinds, strict=True))


def _by_token(x: Float[Tensor, "b h n d"]) -> Float[Tensor, "b n h d"]:
    """The heads of a token side by side, as they come out of a layer."""
    return x.detach().transpose(1, 2).float().contiguous()


class Attention(nn.Module):
    """Self-attention of (b, n, width) tokens."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.heads, self.head_dim = config.heads, config.head_dim
        self.q_proj = nn.Linear(config.width, config.inner)
        self.k_proj = nn.Linear(config.width, config.inner)
        self.v_proj = nn.Linear(config.width, config.inner)
        self.out_proj = nn.Linear(config.inner, config.width)
        self.power = POWERS.get(config.attention)
        self.scale: nn.Parameter | float | None = None
        if self.power is not None and config.attention_scale == "learned":
            self.scale = nn.Parameter(torch.ones(config.heads, 1, 1))
        elif config.attention_scale != "none":
            self.scale = 1.0

    def forward(
        self,
        tokens: Float[Tensor, "b n w"],
        key_mask: Bool[Tensor, "b n"] | None = None,
        attention_mask: Bool[Tensor, "*b n n"] | None = None,
        attention_bias: Float[Tensor, "b h n n"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        q, k, v = (self.split(proj(tokens)) for proj in (self.q_proj, self.k_proj, self.v_proj))
        if self.power is None:
            allowed = allowed_pairs(key_mask, attention_mask)
            mixed = softmax_attention(q, k, v, allowed, attention_bias)
        elif attention_bias is not None:
            raise ValueError("attention_bias: expected none with attention=poly2 or poly3")
        else:
            mixed = polynomial_attention(q, k, v, self.power, self.scale, key_mask, attention_mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))

    def split(self, rows: Float[Tensor, "b n i"]) -> Float[Tensor, "b h n d"]:
        """Tokens of all heads, apart."""
        return rows.unflatten(-1, (self.heads, self.head_dim)).transpose(1, 2)

    @torch.no_grad()
    def scores(self, tokens: Float[Tensor, "b n w"]) -> Float[Tensor, "b h n n"]:
        """q k^T / sqrt(d): what the weights are made of, for looking at them."""
        q, k = self.split(self.q_proj(tokens)), self.split(self.k_proj(tokens))
        return q @ k.transpose(-1, -2) / self.head_dim**0.5
