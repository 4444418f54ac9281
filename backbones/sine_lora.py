"""Sine-LoRA: a sine over the low-rank product gives it a high rank (arXiv 2403.19243, 2505.21895).

W' = W + (alpha / r) sin(omega B A) / g, elementwise on the weight product, never on activations;
g = sqrt(in). No further parameter: as small on disk as LoRA. A step costs the (out, in) product.
Sine-DoRA is `DoRA` around it. (The authors' code puts the sine of its DoRA on activations in the
forward pass and on weights when merging; here both are the weight form.)

The sine does nothing until omega |B A| nears a radian, and past a few radians errors of
quantisation, which omega multiplies, turn it into noise: what matters is omega times the product.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from backbones.lora import LoRA


class SineLoRA(LoRA):
    """W -> W + (alpha / rank) sin(omega B A) / sqrt(in)."""

    def __init__(
        self,
        weight: Float[Tensor, "out ..."],
        rank: int,
        alpha: float,
        omega: float,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(weight, rank, alpha, generator)
        self.omega = omega
        self.gain = math.sqrt(self.a.shape[1])

    def bend(self, phase: Float[Tensor, "out in"]) -> Float[Tensor, "out in"]:
        """The bounded function of omega B A: within [-1, 1]."""
        return torch.sin(phase)

    def delta(self) -> Float[Tensor, "out in"]:
        """The bent product. ||delta||_F <= (alpha / rank) sqrt(out), whatever the factors."""
        return (self.scale / self.gain) * self.bend(self.omega * self.product())
