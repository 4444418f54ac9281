"""The weights an encoder starts from: torch's default for linear layers, or what an option asks
for."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import torch
from torch import nn

from backbones.attention import Attention
from backbones.block import Block
from backbones.impulse import POSITION_STD, start_attention, start_conv, start_tokens
from backbones.mixers import ConvMixer, freeze
from backbones.neighbours import targets
from backbones.residual_free import start_without_skips

if TYPE_CHECKING:
    from backbones.encoder import Encoder


def start(encoder: Encoder, generator: torch.Generator | None = None) -> None:
    """Draw every weight of `encoder` from `generator` (torch's own without one)."""
    config = encoder.plan
    for layer in encoder.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d):
            _uniform(layer, generator)
    if encoder.positions is not None:
        nn.init.normal_(encoder.positions, std=POSITION_STD, generator=generator)
    for block in encoder.blocks:
        assert isinstance(block, Block)
        if config.skips == "none" and config.skip_free_init:
            start_without_skips(block, generator)
        if config.impulse != "none":
            _impulses(encoder, block, generator)
    if config.frozen != "none":
        freeze(encoder, config.frozen)


def _uniform(layer: nn.Linear | nn.Conv1d, generator: torch.Generator | None) -> None:
    """U(-1, 1) / sqrt(inputs), as torch draws it; biases 0."""
    bound = 1 / sqrt(layer.weight[0].numel())
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _impulses(encoder: Encoder, block: Block, generator: torch.Generator | None) -> None:
    if isinstance(block.mixer, Attention):
        assert encoder.positions is not None
        wanted = targets(encoder.plan)
        start_attention(block.mixer, encoder.positions.detach(), wanted, generator)
    elif isinstance(block.mixer, ConvMixer):
        start_conv(block.mixer)
    else:
        start_tokens(block.mixer, targets(encoder.plan), generator)
