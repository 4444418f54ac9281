"""Attention with a polynomial in place of softmax: (q k^T / sqrt(d))^p / sqrt(N) v (arXiv
2410.18613).

Signs are kept and rows are not normalised. Softmax keeps the Frobenius norm of the weights below
sqrt(N); x^p of Gaussian scores grows like N, so 1 / sqrt(N) brings it to the same order. N counts
the tokens that count, so padding changes nothing. Three ways give the same numbers:

* all scores at once, N x N;
* block by block of queries, computed again for the gradient, above `LARGEST_WHOLE` tokens;
* (q.k)^p as a dot product of the monomials of degree p, F = C(d + p - 1, p) of them, exact and
  linear in N: where F is small against N and no mask of pairs is given.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from math import comb, factorial, prod, sqrt

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

LARGEST_WHOLE = 4096
"""Tokens up to which N x N scores are kept whole."""
QUERIES_A_BLOCK = 512
TOKENS_A_FEATURE = 3.0
"""Features are taken when N is at least this many times their number: with 16 numbers a head from
408 tokens on for p = 2, where forward and backward took 0.6 of the time of N x N."""


def polynomial_attention(
    q: Float[Tensor, "b h n d"],
    k: Float[Tensor, "b h n d"],
    v: Float[Tensor, "b h n d"],
    power: int,
    scale: Float[Tensor, "h 1 1"] | float | None = 1.0,
    key_mask: Bool[Tensor, "b n"] | None = None,
    attention_mask: Bool[Tensor, "*b n n"] | None = None,
) -> Float[Tensor, "b h n d"]:
    """(q k^T / sqrt(d))^power v, times scale / sqrt(N); without 1 / sqrt(N) for a scale of None.

    Powers are taken in float32 or better whatever autocast says.
    """
    tokens, head_dim = q.shape[-2:]
    given = v.dtype
    with torch.autocast(q.device.type, enabled=False):
        q, k, v = (
            x.float() if x.dtype in (torch.float16, torch.bfloat16) else x for x in (q, k, v)
        )
        q = q * head_dim**-0.5
        if key_mask is not None:  # a value of zero adds nothing: masking without a mask
            v = v.masked_fill(~key_mask[:, None, :, None], 0.0)
        if attention_mask is None and tokens >= TOKENS_A_FEATURE * features(head_dim, power):
            mixed = _through_features(q, k, v, power)
        elif tokens > LARGEST_WHOLE:
            mixed = _in_blocks(q, k, v, power, attention_mask)
        else:
            mixed = _whole(q, k, v, power, _pairs(attention_mask))
        if scale is not None:
            mixed = mixed * scale * _one_over_root(tokens, key_mask, mixed)
        return mixed.to(given)


def features(head_dim: int, power: int) -> int:
    """Monomials of degree `power` in `head_dim` variables."""
    return comb(head_dim + power - 1, power)


def monomials(x: Float[Tensor, "*n d"], power: int) -> Float[Tensor, "*n f"]:
    """Features with f(x).f(y) = (x.y)^power: monomials times the root of their multinomial."""
    picks = list(combinations_with_replacement(range(x.shape[-1]), power))
    counts = [prod(factorial(pick.count(i)) for i in set(pick)) for pick in picks]
    weights = x.new_tensor([sqrt(factorial(power) / count) for count in counts])
    columns = torch.tensor(picks, device=x.device).T
    found = x[..., columns[0]] * weights
    for column in columns[1:]:
        found = found * x[..., column]
    return found


def _one_over_root(tokens: int, key_mask: Tensor | None, like: Tensor) -> Tensor:
    if key_mask is None:
        return like.new_tensor(tokens**-0.5)
    return key_mask.sum(1).clamp(min=1).to(like.dtype).rsqrt()[:, None, None, None]


def _pairs(attention_mask: Tensor | None) -> Tensor | None:
    if attention_mask is None:
        return None
    return attention_mask[:, None] if attention_mask.dim() == 3 else attention_mask


def _whole(q: Tensor, k: Tensor, v: Tensor, power: int, pairs: Tensor | None) -> Tensor:
    scores = q @ k.transpose(-1, -2)
    weights = scores
    for _ in range(power - 1):
        weights = weights * scores
    if pairs is not None:
        weights = weights.masked_fill(~pairs, 0.0)
    return weights @ v


def _in_blocks(q: Tensor, k: Tensor, v: Tensor, power: int, pairs: Tensor | None) -> Tensor:
    mixed = []
    for first in range(0, q.shape[-2], QUERIES_A_BLOCK):
        rows = slice(first, first + QUERIES_A_BLOCK)
        some = None if pairs is None else _pairs(pairs[..., rows, :])
        mixed.append(checkpoint(_whole, q[:, :, rows], k, v, power, some, use_reentrant=False))
    return torch.cat(mixed, dim=-2)


def _through_features(q: Tensor, k: Tensor, v: Tensor, power: int) -> Tensor:
    return monomials(q, power) @ (monomials(k, power).transpose(-1, -2) @ v)
