"""The maximum over points of a linear layer, with batch norm or without, whose outputs are never
kept for all points.

A layer of 1,024 outputs on 32 clouds of 1,024 points makes 134 MB, which batch norm, the maximum
and their backward would each read and write again. All of it is a function of less: the maxima,
one row of inputs each, and the mean and covariance of the inputs, from which batch norm's own
statistics follow, W m + b and the diagonal of W C W^T.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

_MOST_ROWS = 1 << 24
"""The compiled loops count rows in float32."""


class _Largest(torch.autograd.Function):
    """max over points of x W^T + b, cloud after cloud."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        found, where = _maxima(x.detach().contiguous(), weight.detach().contiguous())
        ctx.save_for_backward(x, weight, where)
        return found + bias

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (slope,) = slopes
        x, weight, where = ctx.saved_tensors
        d_x, d_weight = _slopes(x.contiguous(), weight.contiguous(), where, slope.contiguous())
        return d_x, d_weight, slope.sum(0)


def _compiled(x: Tensor) -> bool:
    return x.dtype == torch.float32 and x.device.type == "cpu" and x.shape[1] < _MOST_ROWS


def _maxima(x: Float[Tensor, "b n i"], weight: Float[Tensor, "o i"]) -> tuple[Tensor, Tensor]:
    """Largest products of points with each row of `weight`, and whose they are."""
    if _compiled(x):
        from pointcloud.cpu.largest import largest as compiled

        found, where = compiled(x.numpy(), weight.numpy())
        return torch.from_numpy(found), torch.from_numpy(where)
    # points along rows: a maximum across them takes six times as long
    each = [(weight @ cloud.mT).max(1) for cloud in x]
    return torch.stack([one.values for one in each]), torch.stack([one.indices for one in each])


def _slopes(x: Tensor, weight: Tensor, where: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of points and weights."""
    if _compiled(x):
        from pointcloud.cpu.largest import largest_backward

        found = largest_backward(*(one.numpy() for one in (x, weight, where, slope)))
        return torch.from_numpy(found[0]), torch.from_numpy(found[1])
    d_x, d_weight = torch.zeros_like(x), torch.zeros_like(weight)
    for cloud, d_cloud, g, rows in zip(x, d_x, slope, where, strict=True):
        d_weight.addcmul_(g[:, None], cloud[rows])
        d_cloud.index_add_(0, rows, g[:, None] * weight)
    return d_x, d_weight


def largest(x: Float[Tensor, "b n i"], layer: nn.Linear) -> Float[Tensor, "b o"]:
    """`layer(x).amax(1)`; of points that are equal, one has the gradient."""
    return _Largest.apply(x, layer.weight, layer.bias)


def largest_normed(
    x: Float[Tensor, "b n i"], layer: nn.Linear, norm: nn.BatchNorm1d
) -> Float[Tensor, "b o"]:
    """`norm(layer(x)).amax(1)`, running statistics included.

    A channel that the norm turns over has its maximum where the layer has its minimum.
    """
    sign = torch.where(norm.weight.detach() < 0, -1.0, 1.0).to(x.dtype)
    extreme = sign * _Largest.apply(x, sign[:, None] * layer.weight, sign * layer.bias)
    if norm.training:
        rows = x.flatten(0, 1)
        middle = rows.mean(0)
        centred = rows - middle
        covariance = centred.mT @ centred / len(rows)
        mean = layer.weight @ middle + layer.bias
        variance = ((layer.weight @ covariance) * layer.weight).sum(1)
        _remember(norm, mean, variance, len(rows))
    else:
        mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    return (extreme - mean) * (variance + norm.eps).rsqrt() * norm.weight + norm.bias


@torch.no_grad()
def _remember(norm: Any, mean: Tensor, variance: Tensor, count: int) -> None:
    norm.num_batches_tracked += 1
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance * (count / max(count - 1, 1)), norm.momentum)
