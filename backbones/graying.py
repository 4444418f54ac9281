"""Token graying: tokens with a flatter spectrum condition attention better (arXiv 2505.01996).

SVD: singular values s become (s / s_max)^eps, which multiplies log kappa by eps exactly. DCT: the
same on the magnitudes of a cosine transform of both axes, cheaper, and dependent on the order of
the tokens: sort points along a curve first (`ordering.morton_order`), frames have theirs. The
multipliers are constants for the gradient. One factor a sample then gives the tokens their old
size back: the condition number does not see it, the skip connections do.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

_NOISE = 1e-6
"""Singular values below this share of the largest are rounding: they are left alone."""


def gray(
    tokens: Float[Tensor, "b n d"],
    kind: str,
    power: float,
    key_mask: Bool[Tensor, "b n"] | None = None,
) -> Float[Tensor, "b n d"]:
    """`tokens`, grayed by "svd" or "dct"; padding stays zero and has no say."""
    if kind == "svd" or key_mask is None:
        return (gray_svd if kind == "svd" else gray_dct)(tokens, power)
    # the transform's length is the number of tokens that count
    grayed = torch.zeros_like(tokens)
    for length in key_mask.sum(1).unique().tolist():
        samples = (key_mask.sum(1) == length).nonzero().flatten()
        if length:
            places = key_mask[samples].nonzero()[:, 1].view(len(samples), length)
            chosen = (samples[:, None], places)
            grayed = grayed.index_put(chosen, gray_dct(tokens[chosen], power))
    return grayed


def gray_svd(tokens: Float[Tensor, "b n d"], power: float) -> Float[Tensor, "b n d"]:
    """X V diag((s / s_max)^power / s) V^T, V and s from the smaller Gram matrix in float64."""
    with torch.no_grad():
        x = tokens.double()
        wide = x.shape[-1] > x.shape[-2]
        gram = x @ x.transpose(-1, -2) if wide else x.transpose(-1, -2) @ x
        squares, axes = torch.linalg.eigh(gram)
        s = squares.clamp(min=0).sqrt()
        relative = s / s[..., -1:].clamp(min=torch.finfo(s.dtype).tiny)
        factors = torch.where(relative > _NOISE, relative.clamp(min=_NOISE) ** (power - 1), 1.0)
        turn = ((axes * factors[..., None, :]) @ axes.transpose(-1, -2)).to(tokens.dtype)
    return _as_large(turn @ tokens if wide else tokens @ turn, tokens)


def gray_dct(tokens: Float[Tensor, "b n d"], power: float) -> Float[Tensor, "b n d"]:
    """Magnitudes of the two-sided orthonormal cosine transform to `power`, signs kept."""
    along, across = (_dct(size, tokens.dtype, tokens.device) for size in tokens.shape[-2:])
    waves = along @ tokens @ across.T
    with torch.no_grad():
        sizes = waves.abs()
        relative = sizes / sizes.amax((-2, -1), keepdim=True).clamp(min=1e-30)
        factors = torch.where(relative > _NOISE, relative.clamp(min=_NOISE) ** (power - 1), 1.0)
    return _as_large(along.T @ (waves * factors) @ across, tokens)


def _as_large(grayed: Tensor, tokens: Tensor) -> Tensor:
    with torch.no_grad():
        now = grayed.norm(dim=(-2, -1), keepdim=True)
        factor = tokens.norm(dim=(-2, -1), keepdim=True) / now.clamp(min=1e-30)
    return grayed * factor


@lru_cache(maxsize=64)
def _dct(size: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "n n"]:
    """The orthonormal type-II cosine transform as a matrix."""
    from scipy.fft import dct

    return torch.from_numpy(dct(np.eye(size), axis=0, norm="ortho")).to(device, dtype)
