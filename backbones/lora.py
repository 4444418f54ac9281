"""LoRA and DoRA: a weight plus a trained matrix of low rank, as parametrisations of that weight.

LoRA (arXiv 2106.09685): W' = W + (alpha / r) B A with A (r, in) drawn and B (out, r) zero, so the
first step begins at W. DoRA (arXiv 2402.09353) also learns the length of each row.

`torch.nn.utils.parametrize` puts either on any weight that can be read as a matrix: that of a
Linear, of a Conv1d (in = channels times taps), or `in_proj_weight` of nn.MultiheadAttention. The
base weight is never written.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LoRA(nn.Module):
    """W -> W + delta with delta = (alpha / rank) B A; subclasses bend delta."""

    def __init__(
        self,
        weight: Float[Tensor, "out ..."],
        rank: int,
        alpha: float,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        rows, columns = len(weight), weight[0].numel()
        if not 1 <= rank <= min(rows, columns):
            raise ValueError(f"rank: expected 1 to {min(rows, columns)}, got {rank}")
        self.scale = alpha / rank
        self.a = nn.Parameter(weight.new_empty(rank, columns))
        self.b = nn.Parameter(weight.new_zeros(rows, rank))
        # as the reference code of LoRA draws it: uniform within 1 / sqrt(in)
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5), generator=generator)

    def product(self) -> Float[Tensor, "out in"]:
        """B A."""
        return self.b @ self.a

    def delta(self) -> Float[Tensor, "out in"]:
        """What is added to the weight, read as a matrix."""
        return self.scale * self.product()

    def forward(self, weight: Float[Tensor, "out ..."]) -> Float[Tensor, "out ..."]:
        return weight + self.delta().view_as(weight)


class DoRA(nn.Module):
    """W -> m V / ||V|| row by row, where V is the weight that `low_rank` makes of W.

    As in section 4.3 of the paper, ||V|| is a constant to the gradient. m begins at ||W||, so the
    first step begins at W.
    """

    def __init__(self, weight: Float[Tensor, "out ..."], low_rank: LoRA) -> None:
        super().__init__()
        self.low_rank = low_rank
        self.magnitude = nn.Parameter(row_norms(weight).detach().clone())

    def forward(self, weight: Float[Tensor, "out ..."]) -> Float[Tensor, "out ..."]:
        direction = self.low_rank(weight)
        lengths = row_norms(direction).detach()
        factor = self.magnitude / lengths.clamp_min(torch.finfo(weight.dtype).tiny)
        return direction * factor.view(-1, *[1] * (weight.dim() - 1))


def row_norms(weight: Float[Tensor, "out ..."]) -> Float[Tensor, "out"]:
    """Euclidean length of each row of the weight read as a matrix."""
    return torch.linalg.vector_norm(weight.flatten(1), dim=1)
