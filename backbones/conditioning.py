"""Conditioned embedded tokens: tokens that enter the first block get all directions at once (arXiv
2505.12789; the form of the correction is that of the sister paper 2603.07162).

X = U S V^T becomes X + t ||X||_2 U V^T, whose condition number is (1 + t) / (t + 1 / kappa(X)): at
most 2 for t = 1, about 11 for t = 0.1. U V^T, the polar factor, treats tokens as a set (an identity
matrix would not). It comes from matrix products alone and is a constant for the gradient: that of
an SVD is not finite for tokens of low rank.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_FAST = (3.4445, -4.7750, 2.0315)
"""Quintic step that raises small singular values 3.4 times and leaves large ones near 1 (Muon)."""
_EXACT = (15 / 8, -10 / 8, 3 / 8)
"""Quintic Newton-Schulz step, which ends at 1 to the third order."""
_FAST_STEPS, _EXACT_STEPS = 10, 3
"""Together they bring singular values from 1e-5 of the largest to 1 within 1e-4."""
_SQUARINGS = 10


def condition(tokens: Float[Tensor, "b n d"], strength: float) -> Float[Tensor, "b n d"]:
    """`tokens` + strength x norm x polar factor, each sample on its own; rows of zeros stay."""
    with torch.no_grad():
        exact = tokens.float() if tokens.dtype in (torch.float16, torch.bfloat16) else tokens
        norm = spectral_norm(exact)[..., None, None]
        correction = strength * norm * _newton_schulz(exact / norm.clamp(min=_tiny(exact)))
    return tokens + correction.to(tokens.dtype)


@torch.no_grad()
def polar_factor(x: Float[Tensor, "*b n d"]) -> Float[Tensor, "*b n d"]:
    """U V^T of x = U S V^T, by Newton-Schulz; zeros for zeros. Directions below 1e-5 of the
    largest stay smaller than 1."""
    return _newton_schulz(x / spectral_norm(x)[..., None, None].clamp(min=_tiny(x)))


def _newton_schulz(x: Float[Tensor, "*b n d"]) -> Float[Tensor, "*b n d"]:
    """The polar factor of `x`, whose largest singular value is 1."""
    tall = x.shape[-2] >= x.shape[-1]
    y = x if tall else x.transpose(-1, -2)
    for a, b, c in (_FAST,) * _FAST_STEPS + (_EXACT,) * _EXACT_STEPS:
        gram = y.transpose(-1, -2) @ y
        y = a * y + y @ (b * gram + c * gram @ gram)
    return y if tall else y.transpose(-1, -2)


@torch.no_grad()
def spectral_norm(x: Float[Tensor, "*b n d"]) -> Float[Tensor, "*b"]:
    """The largest singular value to 0.1 %, by squaring the smaller Gram matrix ten times.

    With P = G^1024, trace(P G) / trace(P) is a mean of G's eigenvalues that only the largest take
    part in.
    """
    tall = x.shape[-2] >= x.shape[-1]
    gram = x.transpose(-1, -2) @ x if tall else x @ x.transpose(-1, -2)
    size = gram.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    gram = gram / size.clamp(min=_tiny(x))
    power = gram
    for _ in range(_SQUARINGS):
        power = power @ power
        trace = power.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
        power = power / trace.clamp(min=_tiny(x))
    largest = (power * gram).sum((-2, -1)).clamp(min=0)
    return (largest * size[..., 0, 0]).sqrt()


def _tiny(x: Tensor) -> float:
    return torch.finfo(x.dtype).tiny
