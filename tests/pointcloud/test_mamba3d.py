"""Parts of Mamba3D that compute less than the published code does, against that code."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from pointcloud.local_norm_pooling import LocalNormPooling, nearest_centres
from pointcloud.mamba3d import GroupEncoder


def gradients(found: Tensor, module: torch.nn.Module, x: Tensor) -> list[Tensor]:
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1)).to(found)
    return list(torch.autograd.grad((found * weights).sum(), [x, *module.parameters()]))


def test_local_norm_pooling_is_that_of_the_public_code_cloud_by_cloud() -> None:
    torch.manual_seed(0)
    pooling = LocalNormPooling(6).double()
    with torch.no_grad():
        pooling.scale.normal_()
        pooling.offset.normal_()
    tokens = torch.randn(3, 11, 6, dtype=torch.float64, requires_grad=True)
    near = nearest_centres(torch.rand(3, 10, 3), 4)
    own = tokens[:, 1:]
    around = own[torch.arange(3)[:, None, None], near]
    centre = own[:, :, None].expand_as(around)
    apart = around - centre
    apart = apart / (apart.flatten(1).std(1)[:, None, None, None] + 1e-5)
    whole = torch.cat([apart, centre], -1) * pooling.scale + pooling.offset
    pooled = (whole * whole.softmax(2)).sum(2)
    changed = functional.silu(pooling.out(pooling.norm(pooled)))
    expected = torch.cat([tokens[:, :1], changed], 1)
    found = pooling(tokens, near)
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        gradients(found, pooling, tokens), gradients(expected, pooling, tokens), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_the_group_encoder_is_a_layer_of_group_and_point_together() -> None:
    torch.manual_seed(0)
    encoder = GroupEncoder(7).double()
    xyz = torch.randn(2, 3, 5, 3, dtype=torch.float64, requires_grad=True)
    first, second, third, last = encoder.layers
    x = second(functional.relu(encoder.norms[0](first(xyz.reshape(-1, 3))))).view(2, 3, 5, -1)
    x = torch.cat([x.amax(2, keepdim=True).expand_as(x), x], -1).flatten(0, 2)
    expected = last(functional.relu(encoder.norms[1](third(x)))).view(2, 3, 5, -1)
    found = encoder(xyz)
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        gradients(found, encoder, xyz), gradients(expected, encoder, xyz), strict=True
    ):
        torch.testing.assert_close(one, other)
