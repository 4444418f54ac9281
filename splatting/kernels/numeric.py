"""A numpy falloff inside autograd: the oracle needs the slope of a form that torch cannot see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

_STEP = 1e-4
"""In d. Five points leave an error of h^4, and rounding one of 1e-16 / h."""


class _Numeric(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, f: Callable[[Any], Any]) -> Tensor:
        ctx.save_for_backward(q)
        ctx.f = f
        return torch.from_numpy(np.asarray(f(q.detach().numpy()), np.float64))

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        (q,) = ctx.saved_tensors
        # along d, where a tip has a slope on its one side; the steps stay on the side of d
        d = np.sqrt(np.maximum(q.numpy(), 1e-12))
        h = np.minimum(_STEP, d / 2.0)

        def at(steps: int) -> Any:
            return np.asarray(ctx.f((d + steps * h) ** 2), np.float64)

        along = (8.0 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12.0 * h)
        return gradients[0] * torch.from_numpy(along / (2.0 * d)), None


def differentiated(f: Callable[[Any], Any], q: Tensor) -> Tensor:
    """f(q) for a float64 tensor, with df/dq by differences in d."""
    return _Numeric.apply(q, f)
