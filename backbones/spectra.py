"""How matrices and networks are conditioned, in float64: float32 saturates at a condition number of
1e7."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from backbones import shrinkage
from backbones.attention import Attention

MOST_JACOBIAN = 1024
"""Largest number of outputs whose Jacobian is taken whole."""


def singular_values(matrix: Float[Tensor, "*b m n"]) -> Float[Tensor, "*b k"]:
    """In float64, the largest first."""
    return torch.linalg.svdvals(matrix.detach().double())


def kappa(matrix: Float[Tensor, "*b m n"]) -> Float[Tensor, "*b"]:
    """Condition number: largest over smallest of the min(m, n) singular values; inf for a smallest
    of zero."""
    s = singular_values(matrix)
    return s[..., 0] / s[..., -1]


def stable_rank(matrix: Float[Tensor, "*b m n"]) -> Float[Tensor, "*b"]:
    """||M||_F^2 / ||M||_2^2: between 1 and the rank; 0 for a matrix of zeros."""
    squares = singular_values(matrix).square()
    return squares.sum(-1) / squares[..., 0].clamp(min=torch.finfo(squares.dtype).tiny)


def effective_bandwidth(matrix: Float[Tensor, "m n"], steps: float, residual: float = 0.5) -> int:
    """How many directions of a linear layer gradient descent learns in `steps` at the largest
    stable rate, 1 / s_max^2 (arXiv 2504.18207)."""
    s = singular_values(matrix).numpy()
    if not len(s) or s[0] == 0:
        return 0
    return shrinkage.bandwidth(s, 1.0 / s[0] ** 2, steps, residual)


def jacobian(function: Callable[[Tensor], Tensor], x: Float[Tensor, "*x"]) -> Float[Tensor, "m n"]:
    """The whole Jacobian of `function` at `x`, in float64; `function` must take float64.

    ValueError where it would have more than `MOST_JACOBIAN` rows.
    """
    x = x.detach().double()
    with torch.no_grad():
        rows = function(x).numel()
    if rows > MOST_JACOBIAN:
        raise ValueError(f"expected at most {MOST_JACOBIAN} outputs, found {rows}; take fewer")
    found = torch.autograd.functional.jacobian(function, x, vectorize=True)
    assert isinstance(found, Tensor)
    return found.reshape(rows, x.numel())


def jacobian_kappa(function: Callable[[Tensor], Tensor], x: Float[Tensor, "*x"]) -> float:
    """Condition number of the Jacobian of `function` at `x`."""
    return float(kappa(jacobian(function, x)))


def attention_kappa(model: nn.Module, *inputs: Tensor, **masks: Tensor) -> list[float]:
    """Median over the batch of the condition number of each attention's concatenated heads, which
    is what enters its output projection."""
    with torch.no_grad(), heads_kept(model) as kept:
        model(*inputs, **masks)
    return [float(kappa(heads).median()) for heads in kept]


@contextmanager
def heads_kept(model: nn.Module) -> Iterator[list[Float[Tensor, "b n i"]]]:
    """A list that fills with the concatenated heads of each attention that `model` runs."""
    kept: list[Tensor] = []
    hooks = [
        layer.out_proj.register_forward_pre_hook(lambda _, given: kept.append(given[0].detach()))
        for layer in model.modules()
        if isinstance(layer, Attention)
    ]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()
