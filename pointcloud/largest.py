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
    """max over points of x W^T, whatever else is needed of x: the mean and covariance of all points
    if `moments`, else two empty tensors.

    One function, since the gradients of all three meet in one array as large as x. x may be in
    bfloat16: then whose maximum it is is found by products in bfloat16, and what it is by one in
    float32.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, moments: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = x.detach().contiguous(), weight.detach().contiguous()
        exact = x.to(weight.dtype)
        found, where = _maxima(exact, weight) if exact is x else _maxima_of_halves(x, exact, weight)
        middle = covariance = x.new_empty(0, dtype=weight.dtype)
        if moments:
            rows = exact.flatten(0, 1)
            middle = rows.mean(0)
            covariance = _covariance(rows, middle)
        ctx.save_for_backward(exact, weight, where, middle)
        ctx.dtype = x.dtype
        return found, middle, covariance

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor, None]:
        slope, d_middle, d_covariance = slopes
        x, weight, where, middle = ctx.saved_tensors
        d_x = torch.zeros_like(x)
        if len(middle):
            rows = x.flatten(0, 1)
            turned = (d_covariance + d_covariance.mT) / len(rows)
            constant = d_middle / len(rows) - middle @ turned  # the covariance is of rows - middle
            d_x = _mixed(rows, turned, constant).view_as(x)
        d_weight = _add_slopes(x, weight, where, slope.contiguous(), d_x)
        return d_x.to(ctx.dtype), d_weight, None


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


def _maxima_of_halves(x: Tensor, exact: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The same of points in bfloat16: the maximum is the exact product of the point whose rounded
    one is largest."""
    rounded = weight.to(x.dtype)
    if x.device.type == "cpu" and x.shape[1] < _MOST_ROWS:
        from pointcloud.cpu.bfloat_maxima import places_of_maxima

        bits = [one.view(torch.uint16).numpy() for one in (x, rounded)]
        where = torch.from_numpy(places_of_maxima(*bits))
    else:
        where = torch.stack([(cloud @ rounded.mT).max(0).indices for cloud in x])
    if _compiled(exact):
        from pointcloud.cpu.largest import products_at

        found = products_at(exact.numpy(), weight.numpy(), where.numpy())
        return torch.from_numpy(found), where
    each = [(cloud[rows] * weight).sum(1) for cloud, rows in zip(exact, where, strict=True)]
    return torch.stack(each), where


def _covariance(rows: Float[Tensor, "n i"], middle: Float[Tensor, "i"]) -> Float[Tensor, "i i"]:
    if rows.dtype == torch.float32 and rows.device.type == "cpu":
        from pointcloud.cpu.covariance import covariance

        return torch.from_numpy(covariance(rows.numpy(), middle.numpy()))
    centred = rows - middle
    return centred.mT @ centred / len(rows)


def _mixed(
    rows: Float[Tensor, "n i"], matrix: Float[Tensor, "i i"], constant: Float[Tensor, "i"]
) -> Float[Tensor, "n i"]:
    """rows matrix + constant."""
    if rows.dtype == torch.float32 and rows.device.type == "cpu":
        from pointcloud.cpu.dense import Dense

        return torch.from_numpy(
            Dense.of(matrix.numpy(), constant.numpy(), halves=False)(rows.numpy())
        )
    return torch.addmm(constant, rows, matrix)


def _add_slopes(
    x: Tensor, weight: Tensor, where: Tensor, slope: Tensor, d_x: Tensor
) -> Float[Tensor, "o i"]:
    """Add the maxima's gradient of points to `d_x`; returns that of weights."""
    d_weight = torch.zeros_like(weight)
    if _compiled(x):
        from pointcloud.cpu.largest import add_slopes

        add_slopes(*(one.numpy() for one in (x, weight, where, slope, d_x, d_weight)))
        return d_weight
    for cloud, d_cloud, g, rows in zip(x, d_x, slope, where, strict=True):
        d_weight.addcmul_(g[:, None], cloud[rows])
        d_cloud.index_add_(0, rows, g[:, None] * weight)
    return d_weight


def largest(x: Float[Tensor, "b n i"], layer: nn.Linear) -> Float[Tensor, "b o"]:
    """`layer(x).amax(1)`; of points that are equal, one has the gradient."""
    return _Largest.apply(x, layer.weight, False)[0] + layer.bias


def largest_normed(
    x: Float[Tensor, "b n i"], layer: nn.Linear, norm: nn.BatchNorm1d
) -> Float[Tensor, "b o"]:
    """`norm(layer(x)).amax(1)`, running statistics included.

    A channel that the norm turns over has its maximum where the layer has its minimum. Under
    autocast, too, all but the search for maxima keeps the digits of the layer's weights.
    """
    with torch.autocast(x.device.type, enabled=False):
        return _largest_normed(x, layer, norm)


def _largest_normed(x: Tensor, layer: nn.Linear, norm: nn.BatchNorm1d) -> Tensor:
    sign = torch.where(norm.weight.detach() < 0, -1.0, 1.0).to(layer.weight.dtype)
    signed = sign[:, None] * layer.weight
    found, middle, covariance = _Largest.apply(x, signed, norm.training)
    extreme = sign * found + layer.bias
    if norm.training:
        mean = layer.weight @ middle + layer.bias
        variance = ((layer.weight @ covariance) * layer.weight).sum(1)
        _remember(norm, mean, variance, x.shape[0] * x.shape[1])
    else:
        mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    return (extreme - mean) * (variance + norm.eps).rsqrt() * norm.weight + norm.bias


@torch.no_grad()
def _remember(norm: Any, mean: Tensor, variance: Tensor, count: int) -> None:
    norm.num_batches_tracked += 1
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance * (count / max(count - 1, 1)), norm.momentum)
