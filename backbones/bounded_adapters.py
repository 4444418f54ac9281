"""Bounded adapters: unlearning by gradient ascent cannot run away (arXiv 2509.24166).

Ascent on a cross-entropy has no end: a linear adapter grows with every step and takes the model
with it. With delta = phi(omega B A) (alpha / r) / sqrt(in) and |phi| <= 1, ||delta||_F never passes
(alpha / r) sqrt(out), after any number of steps. The paper's phi is the sine with omega = 100
(`SineLoRA`); its other one, tanh, is here. Both go on the feed-forward weights alone.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from backbones.sine_lora import SineLoRA


class TanhLoRA(SineLoRA):
    """W -> W + (alpha / rank) tanh(omega B A) / sqrt(in)."""

    def bend(self, phase: Float[Tensor, "out in"]) -> Float[Tensor, "out in"]:
        """The bounded function of omega B A: within [-1, 1]."""
        return torch.tanh(phase)


def largest_norm(adapter: SineLoRA) -> float:
    """What ||delta||_F of a bounded adapter can reach: (alpha / rank) sqrt(out)."""
    return abs(adapter.scale) * math.sqrt(len(adapter.b))
