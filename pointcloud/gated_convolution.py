"""The convolution before a scan of Mamba (arXiv 2312.00752) as one differentiable function: every
channel with its own taps, the last of which lies on the present, and SiLU.

    u_t = silu(bias + sum_k weight_k x_(t - taps + 1 + k))

`reference` is that, word for word; on a CPU compiled loops run (`cpu/gated_convolution.py`).
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def reference(
    x: Float[Tensor, "b t d"], weight: Float[Tensor, "k d"], bias: Float[Tensor, "d"]
) -> Float[Tensor, "b t d"]:
    """u, tap by tap."""
    taps, length = len(weight), x.shape[1]
    before = functional.pad(x, (0, 0, taps - 1, 0))
    parts = [before[:, k : k + length] * weight[k] for k in range(taps)]
    return functional.silu(torch.stack(parts).sum(0) + bias)


def gated_convolution(
    x: Float[Tensor, "b t d"], weight: Float[Tensor, "k d"], bias: Float[Tensor, "d"]
) -> Float[Tensor, "b t d"]:
    """u, quickly, in float32; a gradient for every argument. Elsewhere than on a CPU, and in
    float64, it is the reference."""
    if x.dtype == torch.float64 or x.device.type != "cpu":
        return reference(x, weight, bias)
    return _Convolution.apply(x.float(), weight, bias)  # type: ignore[return-value]


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> Tensor:  # type: ignore[override]
        from pointcloud.cpu.gated_convolution import forward

        arrays = [x.detach().contiguous() for x in given]
        ctx.save_for_backward(*arrays)
        return torch.from_numpy(forward(*(x.numpy() for x in arrays)))

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        from pointcloud.cpu.gated_convolution import backward

        x, weight, bias = (x.numpy() for x in ctx.saved_tensors)
        return tuple(map(torch.from_numpy, backward(x, weight, bias, slope.contiguous().numpy())))
