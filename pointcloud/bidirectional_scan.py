"""The scan of Mamba3D in two directions (arXiv 2404.14966, section 3.4), as its public code has it.

The second direction is one of channels, not of time: it reads input and gate in reverse order, so
that they change places, with a convolution and a state of its own; its result is reversed back and
added.
"""

from __future__ import annotations

from math import log

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pointcloud.config import MambaConfig
from pointcloud.gated_convolution import gated_convolution
from pointcloud.selective_scan import selective_scan

_SHORTEST, _LONGEST = 1e-3, 1e-1
"""Step sizes that a scan begins with lie between these, evenly in their logarithm."""


class BidirectionalScan(nn.Module):
    """Tokens in, tokens out; an answer at t depends on tokens up to t alone."""

    def __init__(self, config: MambaConfig) -> None:
        super().__init__()
        self.enter = nn.Linear(config.width, 2 * config.inner, bias=False)
        self.forwards = Direction(config)
        self.backwards = Direction(config)
        self.leave = nn.Linear(config.inner, config.width, bias=False)

    def forward(self, tokens: Float[Tensor, "b t w"]) -> Float[Tensor, "b t w"]:
        x, gate = self.enter(tokens).chunk(2, -1)
        # not tokens are reversed, but the weights that read them, which are fewer
        return self.leave(self.forwards(x, gate) + self.backwards(gate, x, reverse=True))


class Direction(nn.Module):
    """One Mamba: convolution, coefficients, scan, gate."""

    def __init__(self, config: MambaConfig) -> None:
        super().__init__()
        inner, self.rank, self.state = config.inner, config.rank, config.state
        self.conv_weight = nn.Parameter(torch.empty(config.taps, inner))
        self.conv_bias = nn.Parameter(torch.empty(inner))
        bound = config.taps**-0.5
        nn.init.uniform_(self.conv_weight, -bound, bound)
        nn.init.uniform_(self.conv_bias, -bound, bound)
        self.coefficients = nn.Linear(inner, config.rank + 2 * config.state, bias=False)
        self.step = nn.Linear(config.rank, inner)
        nn.init.uniform_(self.step.weight, -(config.rank**-0.5), config.rank**-0.5)
        with torch.no_grad():
            seconds = torch.exp(torch.rand(inner) * log(_LONGEST / _SHORTEST)) * _SHORTEST
            self.step.bias.copy_(seconds + torch.log(-torch.expm1(-seconds)))  # softplus undoes it
        decay = torch.arange(1, config.state + 1, dtype=torch.float32).log()
        self.log_decay = nn.Parameter(decay.expand(inner, -1).clone())
        self.skip = nn.Parameter(torch.ones(inner))

    def forward(
        self, x: Float[Tensor, "b t d"], gate: Float[Tensor, "b t d"], reverse: bool = False
    ) -> Float[Tensor, "b t d"]:
        """What it makes of `x`; with `reverse` channels come and go in the other order."""

        def ordered(weights: Tensor, axis: int) -> Tensor:
            return weights.flip(axis) if reverse else weights

        u = gated_convolution(x, ordered(self.conv_weight, 1), ordered(self.conv_bias, 0))
        found = functional.linear(u, ordered(self.coefficients.weight, 1))
        step, to_state, from_state = found.split([self.rank, self.state, self.state], -1)
        dt = functional.linear(step, ordered(self.step.weight, 0))
        decay = ordered(-self.log_decay.exp(), 0)
        skip, bias = ordered(self.skip, 0), ordered(self.step.bias, 0)
        return selective_scan(u, dt, decay, to_state, from_state, skip, gate, bias)
