"""The selective scan of Mamba (arXiv 2312.00752): a linear recurrence whose coefficients the input
makes, as one differentiable function.

For every channel d and state n, over time t, with s = softplus(dt + bias):

    h_t = exp(s_t A) h_(t-1) + s_t u_t B_t        y_t = (C_t . h_t + D u_t) silu(z_t)

`reference` is that, word for word; `selective_scan` runs compiled loops on a CPU
(`cpu/selective_scan.py`) and mamba_ssm's kernel on CUDA.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from data.errors import UserError


def reference(
    u: Float[Tensor, "b l d"],
    dt: Float[Tensor, "b l d"],
    A: Float[Tensor, "d n"],
    B: Float[Tensor, "b l n"],
    C: Float[Tensor, "b l n"],
    D: Float[Tensor, "d"],
    z: Float[Tensor, "b l d"],
    bias: Float[Tensor, "d"],
) -> Float[Tensor, "b l d"]:
    """y, step by step."""
    s = functional.softplus(dt + bias)
    h = u.new_zeros(u.shape[0], *A.shape)
    y = []
    for t in range(u.shape[1]):
        h = (s[:, t, :, None] * A).exp() * h + (s[:, t] * u[:, t])[..., None] * B[:, t, None]
        y.append((h * C[:, t, None]).sum(-1))
    return (torch.stack(y, 1) + D * u) * functional.silu(z)


def selective_scan(
    u: Float[Tensor, "b l d"],
    dt: Float[Tensor, "b l d"],
    A: Float[Tensor, "d n"],
    B: Float[Tensor, "b l n"],
    C: Float[Tensor, "b l n"],
    D: Float[Tensor, "d"],
    z: Float[Tensor, "b l d"],
    bias: Float[Tensor, "d"],
) -> Float[Tensor, "b l d"]:
    """y, quickly, in float32; a gradient for every argument. `A` is negative.

    float64 takes the reference, which is how the tests differentiate numerically. UserError on CUDA
    without mamba_ssm.
    """
    if u.dtype == torch.float64:
        return reference(u, dt, A, B, C, D, z, bias)
    if u.is_cuda:
        return _on_cuda(u, dt, A, B, C, D, z, bias)
    return _Scan.apply(u, dt, A, B, C, D, z, bias)  # type: ignore[return-value]


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> Tensor:  # type: ignore[override]
        from pointcloud.cpu.selective_scan import forward

        arrays = [x.detach().float().contiguous() for x in given]
        ctx.save_for_backward(*arrays)
        return torch.from_numpy(forward(*(x.numpy() for x in arrays)))

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        from pointcloud.cpu.selective_scan import backward

        u, dt, A, B, C, D, z, bias = (x.numpy() for x in ctx.saved_tensors)
        found = backward(u, dt, A, B, C, D, z, bias, slope.float().contiguous().numpy())
        return tuple(map(torch.from_numpy, found))


def _on_cuda(
    u: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, z: Tensor, bias: Tensor
) -> Tensor:
    try:
        from mamba_ssm.ops.selective_scan_interface import selective_scan_fn
    except ImportError:
        raise UserError(
            "selective scan: expected the package mamba_ssm for a CUDA device, found none; pip"
            " install mamba-ssm, or run on the CPU"
        ) from None
    # its arrays have time last
    turned = (x.transpose(1, 2).contiguous() for x in (u, dt, B, C, z))
    u, dt, B, C, z = turned
    y = selective_scan_fn(u, dt, A, B, C, D, z=z, delta_bias=bias, delta_softplus=True)
    return y.transpose(1, 2)
