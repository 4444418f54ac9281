"""What a saved model looks like from its numbers: options in use, spectra of its layers, and how
its blocks are conditioned."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch

from backbones.attention import Attention
from backbones.block import Block
from backbones.config import BackboneConfig
from backbones.encoder import Encoder
from backbones.saved import SavedModel
from backbones.spectra import (
    MOST_JACOBIAN,
    attention_kappa,
    effective_bandwidth,
    jacobian_kappa,
    kappa,
    stable_rank,
)

BANDWIDTH_STEPS = 1000
"""Steps of gradient descent that the effective bandwidth is told for."""
PROBES = 64
"""Tokens of noise that the blocks are looked at with, where their number is free."""
JACOBIAN_TOKENS = 16


@dataclass(frozen=True)
class Layer:
    """Spectrum of one weight matrix."""

    name: str
    shape: tuple[int, ...]
    kappa: float
    stable_rank: float
    bandwidth: int
    """Directions learned in `BANDWIDTH_STEPS` at the largest stable rate."""


@dataclass(frozen=True)
class BlockLook:
    """How one block treats tokens of noise."""

    heads_kappa: float | None
    """Of its concatenated heads; None without attention."""
    jacobian_kappa: float | None
    """Of the whole block; None where its Jacobian is too large to take."""


def options_in_use(config: BackboneConfig) -> dict[str, Any]:
    """The fields that differ from a plain block's."""
    return {
        field.name: getattr(config, field.name)
        for field in fields(config)
        if getattr(config, field.name) != field.default
    }


def layers(saved: SavedModel) -> list[Layer]:
    """Every weight of two axes or more, as a matrix of outputs by inputs."""
    found = []
    for name, weight in saved.weights.items():
        if weight.dim() < 2 or not weight.is_floating_point() or not weight.numel():
            continue
        matrix = weight.flatten(1)
        found.append(
            Layer(
                name,
                tuple(weight.shape),
                float(kappa(matrix)),
                float(stable_rank(matrix)),
                effective_bandwidth(matrix, BANDWIDTH_STEPS),
            )
        )
    return found


def blocks(saved: SavedModel, seed: int = 0) -> list[BlockLook]:
    """Each block, given independent Gaussian tokens (heads: behind the blocks before it)."""
    encoder = saved.encoder().double().eval()
    generator = torch.Generator().manual_seed(seed)
    count, width = saved.config.places or PROBES, saved.config.width
    tokens = torch.randn(1, count, width, generator=generator, dtype=torch.float64)
    heads = attention_kappa(encoder, tokens)
    few = count if saved.config.mixer == "tokens" else min(count, JACOBIAN_TOKENS)
    few = few if saved.config.mixer == "tokens" else max(1, min(few, MOST_JACOBIAN // width))
    looks = []
    for number, block in enumerate(_blocks(encoder)):
        fits = few * width <= MOST_JACOBIAN
        conditioned = jacobian_kappa(block, tokens[:, :few]) if fits else None
        attends = isinstance(block.mixer, Attention)
        looks.append(BlockLook(heads[number] if attends else None, conditioned))
    return looks


def _blocks(encoder: Encoder) -> list[Block]:
    return [block for block in encoder.blocks if isinstance(block, Block)]
