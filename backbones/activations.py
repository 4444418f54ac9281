"""Activations as bases of splines, each with a width (arXiv 2504.18207).

A shallow network act(x - b_j) w is a spline whose basis is the activation. With a monotone one the
length of the training sets the bandwidth; with the Gaussian and the sinc their width does.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "gaussian": lambda x: torch.exp(-0.5 * x * x),
    "sinc": torch.sinc,
}
"""Of x in units of the width: gaussian exp(-x^2 / 2), sinc sin(pi x) / (pi x)."""


class Activation(nn.Module):
    """act(x / scale)."""

    def __init__(self, name: str, scale: float = 1.0) -> None:
        super().__init__()
        self.name, self.scale = name, scale

    def forward(self, x: Tensor) -> Tensor:
        return ACTIVATIONS[self.name](x if self.scale == 1.0 else x / self.scale)

    def extra_repr(self) -> str:
        return f"{self.name}, scale={self.scale}"
