"""Structured initialisation: attention that starts as a convolution (arXiv 2505.19985).

Random fixed impulse filters suffice where channels learn, so each head starts by looking at one
neighbour. Its query and key weights are solved for: with positions P and their normalised form P^,
P^ W_Q W_K^T P^^T should be large where the target is. The pseudo-inverse leaves directions below 1
% of the largest out, and positions are drawn at random: sines, or a sum of two embeddings, have
such a low rank that nothing can be solved. The published constant gain of 7 is replaced by the
least one that puts 99 % of the attention on the target.
"""

from __future__ import annotations

import warnings
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from backbones.attention import Attention
from backbones.mixers import ConvMixer, TokenMixer
from backbones.neighbours import line_offsets

POSITION_STD = 18 * 0.02
"""Spread of the learned positions at the start (the paper's)."""
GOAL = 0.99
"""Attention on the target that the gain is solved for, with positions alone as tokens."""
LEAST_MASS = 0.8
_ON_TARGET, _ELSEWHERE, _NOISE_STD = 1000.0, 3.0, 0.6
_RTOL = 1e-2
_VALUES = 0.4
"""Noise and minus identity in the product of values and output (mimetic initialisation)."""


@torch.no_grad()
def start_attention(
    attention: Attention,
    positions: Float[Tensor, "n w"],
    target: Float[Tensor, "h n n"],
    generator: torch.Generator | None = None,
) -> None:
    """Draw the weights of `attention` so that head i puts its attention on `target[i]`.

    Warns where heads are too small for it: 153 tokens need a head_dim of 64.
    """
    dim, dtype = attention.head_dim, attention.q_proj.weight.dtype
    normal = functional.layer_norm(positions.double(), positions.shape[-1:])
    queries, keys, masses = [], [], []
    for one in target.to(normal):
        q, k = solve(normal, one, dim, generator)
        gain, mass = least_gain(normal @ q @ k.T @ normal.T / sqrt(dim), one)
        queries.append(sqrt(gain) * q.T)
        keys.append(sqrt(gain) * k.T)
        masses.append(mass)
    if min(masses) < LEAST_MASS:
        warnings.warn(
            f"impulse: expected {LEAST_MASS:.0%} of a head's attention on its neighbour, found "
            f"{min(masses):.0%} for {len(positions)} tokens; raise head_dim={dim}",
            stacklevel=2,
        )
    attention.q_proj.weight.copy_(torch.cat(queries).to(dtype))
    attention.k_proj.weight.copy_(torch.cat(keys).to(dtype))
    _start_values(attention, generator)
    for layer in attention.children():
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


def solve(
    normal: Float[Tensor, "n w"],
    target: Float[Tensor, "n n"],
    head_dim: int,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "w d"], Float[Tensor, "w d"]]:
    """Query and key weights of one head, each of Frobenius norm 1: the best product of rank
    `head_dim` for scores of 1000 on the target and little noise elsewhere."""
    noise = torch.empty(target.shape, dtype=normal.dtype)
    nn.init.trunc_normal_(noise, std=_NOISE_STD, generator=generator)
    wanted = _ON_TARGET * target + _ELSEWHERE * noise.to(target.device) * (target == 0)
    u, s, vh = torch.linalg.svd(normal, full_matrices=False)
    kept = s > _RTOL * s[0]
    left = u[:, kept] / s[kept]
    core_u, core_s, core_vh = torch.linalg.svd(left.T @ wanted @ left)
    rank = min(head_dim, len(core_s))
    root = core_s[:rank].sqrt()
    found = []
    for side in (core_u[:, :rank], core_vh[:rank].T):
        weight = vh[kept].T @ (side * root)
        found.append(functional.pad(weight / weight.norm(), (0, head_dim - rank)))
    return found[0], found[1]


def least_gain(scores: Float[Tensor, "n n"], target: Float[Tensor, "n n"]) -> tuple[float, float]:
    """The least factor on `scores` that reaches `GOAL`, or the best one; and the mass it gives."""
    factors = torch.logspace(-2, 5, 141, dtype=scores.dtype)
    found = [float(mass((factor * scores).softmax(-1), target)) for factor in factors]
    reached = [place for place, one in enumerate(found) if one >= GOAL]
    place = reached[0] if reached else max(range(len(found)), key=found.__getitem__)
    return float(factors[place]), found[place]


def mass(weights: Float[Tensor, "*b n n"], target: Float[Tensor, "*b n n"]) -> Float[Tensor, "*b"]:
    """Mean attention on the target, over the tokens that have one."""
    has = target.any(-1)
    return (weights * (target > 0)).sum(-1).mul(has).sum(-1) / has.sum(-1).clamp(min=1)


@torch.no_grad()
def start_conv(mixer: ConvMixer) -> None:
    """Each channel's kernel is one tap: the channels take the offsets in turn."""
    taps = mixer.depthwise.kernel_size[0]
    mixer.depthwise.weight.zero_()
    offsets = line_offsets(taps)
    for channel in range(mixer.depthwise.out_channels):
        mixer.depthwise.weight[channel, 0, taps // 2 + offsets[channel % taps]] = 1.0


@torch.no_grad()
def start_tokens(
    mixer: TokenMixer, target: Float[Tensor, "h n n"], generator: torch.Generator | None = None
) -> None:
    """Hidden group i holds the tokens that `target[i]` names; the groups are added with random
    signs."""
    heads, places, _ = target.shape
    mixer.token_in.weight.copy_(target.reshape(heads * places, places))
    signs = torch.randint(0, 2, (heads,), generator=generator) * 2.0 - 1.0
    spread = torch.kron(signs[None], torch.eye(places)) / sqrt(heads)
    mixer.token_out.weight.copy_(spread)


def _start_values(attention: Attention, generator: torch.Generator | None) -> None:
    values, output = attention.v_proj.weight, attention.out_proj.weight
    inner, width = values.shape
    product = torch.empty(width, width, dtype=values.dtype, device=values.device)
    nn.init.uniform_(product, -sqrt(3 / width), sqrt(3 / width), generator=generator)
    product = _VALUES * (product - torch.eye(width, dtype=values.dtype, device=values.device))
    u, s, vh = torch.linalg.svd(product)
    rank = min(inner, width)
    root = s[:rank].sqrt()
    values.copy_(functional.pad(root[:, None] * vh[:rank], (0, 0, 0, inner - rank)))
    output.copy_(functional.pad(u[:, :rank] * root, (0, inner - rank)))
