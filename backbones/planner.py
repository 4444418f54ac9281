"""More heads, less depth: how many blocks and heads to give a number of tokens (arXiv 2505.20802).

The concatenated heads of N tokens are an N x h d_h matrix. For independent Gaussian entries its
condition number is (sqrt(h d_h) + sqrt(N)) / |sqrt(h d_h) - sqrt(N)| (theorem 3.2): it peaks at h
d_h = N and falls with more heads only above it. So heads are added above that, and blocks taken
away. At a fixed width many tiny heads hurt (arXiv 2002.07028), so `head_dim` stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, inf, sqrt

from backbones.config import BackboneConfig


@dataclass(frozen=True)
class Plan:
    """One way to spend parameters."""

    depth: int
    heads: int
    parameters: int
    kappa: float
    """Expected condition number of the concatenated heads at the start."""


def expected_kappa(inner: int, tokens: int) -> float:
    """Condition number of `tokens` rows of `inner` independent Gaussian numbers (theorem 3.2)."""
    gap = abs(sqrt(inner) - sqrt(tokens))
    return (sqrt(inner) + sqrt(tokens)) / gap if gap else inf


def least_heads(head_dim: int, tokens: int) -> int:
    """The fewest heads for which heads x head_dim exceeds the number of tokens."""
    return tokens // head_dim + 1


def lean(config: BackboneConfig) -> BackboneConfig:
    """What is built: `config` itself, or with `lean` half its blocks and at least twice its
    heads."""
    if not config.lean:
        return config
    assert config.tokens is not None  # the configuration has seen to it
    heads = max(2 * config.heads, least_heads(config.head_dim, config.tokens))
    return replace(config, lean=False, depth=ceil(config.depth / 2), heads=heads)


def plans(config: BackboneConfig, tokens: int) -> list[Plan]:
    """For each depth up to `config`'s, the most heads that cost no more parameters than it does;
    those with heads x head_dim above `tokens` alone, the best conditioned first."""
    budget = parameters(config)
    found = []
    for depth in range(1, config.depth + 1):
        bare = parameters(replace(config, depth=depth, heads=1))
        step = parameters(replace(config, depth=depth, heads=2)) - bare
        heads = 1 + (budget - bare) // step
        if heads >= least_heads(config.head_dim, tokens):
            cost = parameters(replace(config, depth=depth, heads=heads))
            kappa = expected_kappa(heads * config.head_dim, tokens)
            found.append(Plan(depth, heads, cost, kappa))
    return sorted(found, key=lambda plan: plan.kappa)


def parameters(config: BackboneConfig) -> int:
    """How many numbers the encoder of `config` learns or keeps, without building it."""
    config = lean(config)
    width, inner, hidden, places = config.width, config.inner, config.hidden, config.places or 0
    if config.mixer == "attention":
        mixer = 3 * (width + 1) * inner + (inner + 1) * width
        mixer += config.heads if _learns_scale(config) else 0
    elif config.mixer == "conv":
        mixer = width * (config.conv_kernel + 1) + width * (width + 1)
    else:
        mixer = 2 * config.heads * places**2 + (config.heads + 1) * places
    mlp = (width + 1) * hidden + (hidden + 1) * width
    positions = width * places if config.impulse != "none" and config.mixer == "attention" else 0
    return config.depth * (mixer + mlp + 4 * width) + 2 * width + positions


def _learns_scale(config: BackboneConfig) -> bool:
    return config.attention != "softmax" and config.attention_scale == "learned"
