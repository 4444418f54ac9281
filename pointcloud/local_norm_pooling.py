"""Local norm pooling of Mamba3D (arXiv 2404.14966, section 3.3): a centre compares its features
with those of the centres around it.

`reference` is that, word for word; on a CPU compiled loops run (`cpu/local_norm_pooling.py`).
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from pointcloud.config import LEAST_SPREAD


class LocalNormPooling(nn.Module):
    """Neighbours' differences, in units of their spread in the cloud, pooled by their own softmax,
    beside the centre's own features.

    The public code pools the centre's features, too, repeated for every neighbour: that mean of
    equal numbers is left out here. The first token, which has no place, passes as it is.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2 * width))
        self.offset = nn.Parameter(torch.zeros(2 * width))
        self.norm = nn.LayerNorm(2 * width)
        self.out = nn.Linear(2 * width, width)

    def forward(
        self, tokens: Float[Tensor, "b t w"], near: Int64[Tensor, "b c k"]
    ) -> Float[Tensor, "b t w"]:
        first, own = tokens[:, :1], tokens[:, 1:]
        scale, scale_of_own = self.scale.chunk(2)
        offset, offset_of_own = self.offset.chunk(2)
        around = pooled_differences(own, near, scale, offset)
        pooled = torch.cat([around, own * scale_of_own + offset_of_own], -1)
        return torch.cat([first, functional.silu(self.out(self.norm(pooled)))], 1)


def reference(
    own: Float[Tensor, "b c w"],
    near: Int64[Tensor, "b c k"],
    scale: Float[Tensor, "w"],
    offset: Float[Tensor, "w"],
) -> Float[Tensor, "b c w"]:
    """What each centre pools of the differences to its neighbours."""
    around = differences(own, near) * scale + offset
    return (around * around.softmax(2)).sum(2)


def pooled_differences(
    own: Float[Tensor, "b c w"],
    near: Int64[Tensor, "b c k"],
    scale: Float[Tensor, "w"],
    offset: Float[Tensor, "w"],
) -> Float[Tensor, "b c w"]:
    """The same, quickly, in float32; a gradient for every argument but `near`. Elsewhere than on a
    CPU, and in float64, it is the reference."""
    if own.dtype == torch.float64 or own.device.type != "cpu":
        return reference(own, near, scale, offset)
    return _Pooling.apply(own.float(), near, scale, offset)  # type: ignore[return-value]


class _Pooling(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> Tensor:  # type: ignore[override]
        from pointcloud.cpu.local_norm_pooling import forward

        arrays = [x.detach().contiguous() for x in given]
        ctx.save_for_backward(*arrays)
        return torch.from_numpy(forward(*(x.numpy() for x in arrays)))

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        from pointcloud.cpu.local_norm_pooling import backward

        own, near, scale, offset = (x.numpy() for x in ctx.saved_tensors)
        found = backward(own, near, scale, offset, slope.contiguous().numpy())
        d_own, d_scale, d_offset = map(torch.from_numpy, found)
        return d_own, None, d_scale, d_offset


def differences(
    features: Float[Tensor, "b c w"], near: Int64[Tensor, "b c k"]
) -> Float[Tensor, "b c k w"]:
    """For each centre and neighbour the difference of their features, over the root mean square
    deviation of all differences of the same cloud."""
    rows = torch.arange(len(near), device=near.device)[:, None, None]
    found = features[rows, near] - features[:, :, None]
    flat = found.flatten(1)
    # torch.std goes through them one by one, ten times as slowly
    deviations = flat - flat.mean(1, keepdim=True)
    spread = torch.linalg.vector_norm(deviations, dim=1) / max(1, flat.shape[1] - 1) ** 0.5
    return found / (spread[:, None, None, None] + LEAST_SPREAD)


def nearest_centres(centres: Float[Tensor, "b c 3"], count: int) -> Int64[Tensor, "b c k"]:
    """The `count` nearest to each, itself first; of those in one place the first."""
    # by differences: a matrix product rounds otherwise in another batch, and ties fall otherwise
    exact = "donot_use_mm_for_euclid_dist"
    apart = torch.cdist(centres, centres, compute_mode=exact)
    return apart.sort(dim=-1, stable=True).indices[..., :count]
