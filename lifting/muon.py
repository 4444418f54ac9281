"""Muon: momentum whose matrices are made orthogonal before they are applied (Jordan et al. 2024).

All singular values of an update are about one, so that rare directions learn as fast as common
ones. Only for matrices within the blocks; what reads numbers in and puts them out stays with AdamW.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

_STEPS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration: it takes singular values from 0.01 to about 1, not exactly to it."""
_AS_ADAM = 0.2
"""Root mean square of an update, about that of AdamW (Liu et al. 2025), so that one rate serves
both."""


class Muon(torch.optim.Optimizer):
    """For matrices alone; `lr` is that of AdamW. With `bf16` they are made orthogonal in bfloat16,
    of which singular values are as near to 1."""

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        bf16: bool = False,
    ) -> None:
        self.kind = torch.bfloat16 if bf16 else torch.float32
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """One update, with Nesterov's momentum."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = {}
            for value in group["params"]:
                if value.grad is not None:
                    alike.setdefault(value.shape, []).append(value)
            for values in alike.values():
                self._move(values, group)

    def _move(self, values: list[Tensor], group: dict[str, Any]) -> None:
        """Matrices of one shape at once: one by one they are too small for two threads."""
        sought = []
        for value in values:
            assert value.grad is not None
            momentum = self.state[value].setdefault("momentum", torch.zeros_like(value))
            momentum.lerp_(value.grad, 1 - group["momentum"])
            sought.append(value.grad.lerp(momentum, group["momentum"]))
        stacked = torch.stack(sought).to(self.kind)
        for value, update in zip(values, orthogonal(stacked).float(), strict=True):
            value.mul_(1 - group["lr"] * group["weight_decay"])
            value.add_(update, alpha=-group["lr"] * _AS_ADAM * max(value.shape) ** 0.5)


def orthogonal(matrices: Float[Tensor, "*n i j"]) -> Float[Tensor, "*n i j"]:
    """Each with all its singular values near 1, by an odd polynomial applied a few times."""
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-12)
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x
