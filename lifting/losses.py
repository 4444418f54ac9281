"""What a lifter is trained on: distances from the truth as they are measured (`lifting.metrics`),
and what makes a sequence of poses a motion."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from lifting.config import LiftFitConfig
from lifting.model import LiftOutputs

INSIDE = 0.68
"""Share of joints that a predicted radius is to hold."""

_LEAST_SCALE = 0.1
"""Of a clip whose depths came out the wrong way round: the radius has nothing to learn from it."""


@dataclass(frozen=True, eq=False)
class Truth:
    """Of a batch, padded as its inputs are."""

    xyz: Float[Tensor, "b t j 3"]
    """In the camera's axes, in any units."""
    rays: Float[Tensor, "b t j 2"]
    """Tracks before anything was spoilt, in the units of `LiftInputs.place`, middle included."""
    up: Float[Tensor, "b 3"]
    near: Bool[Tensor, "b j j"]
    mask: Bool[Tensor, "b t j"]

    def to(self, device: torch.device | str) -> Truth:
        parts = (self.xyz, self.rays, self.up, self.near, self.mask)
        return Truth(*(part.to(device) for part in parts))


def loss(
    found: LiftOutputs, truth: Truth, config: LiftFitConfig
) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
    """The loss and its parts."""
    mask = truth.mask.to(found.xyz.dtype)
    size = diagonals(truth.xyz, truth.mask)
    turned = aligned_frames(found.xyz, truth.xyz, mask)
    framewise = torch.linalg.vector_norm(turned - truth.xyz, dim=-1)
    scale, placed = aligned_clip(found.xyz, truth.xyz, mask)
    wrong = placed - truth.xyz
    whole = torch.linalg.vector_norm(wrong, dim=-1)
    parts = {
        "frames": _mean(framewise / size[..., None], mask),
        "clip": _mean(whole / size[..., None], mask),
        "reprojection": _mean(_length(found.rays - truth.rays), mask),
        "bones": bone_error(found.xyz, truth, scale, size),
        "gravity": 1 - (found.up * truth.up).sum(-1).mean(),
        "uncertainty": _pinball(
            framewise / scale.clamp(min=_LEAST_SCALE)[:, None, None], found.radius, mask
        ),
    }
    if wrong.shape[1] > 1:
        pairs = mask[:, 1:] * mask[:, :-1]
        change = _length(wrong[:, 1:] - wrong[:, :-1])
        parts["velocity"] = _mean(change / size[:, 1:, None], pairs)
    share = config.procrustes
    total = share * parts["frames"] + (1 - share) * parts["clip"]
    for name in ("velocity", "bones", "reprojection", "uncertainty", "gravity"):
        if name in parts:
            total = total + getattr(config, name) * parts[name]
    return total, parts


def aligned_frames(
    found: Float[Tensor, "b t j 3"], truth: Float[Tensor, "b t j 3"], mask: Float[Tensor, "b t j"]
) -> Float[Tensor, "b t j 3"]:
    """Each frame under the similarity that brings it nearest to the truth; no gradient goes through
    the similarity itself, which is at its best already."""
    p, _ = _centred(found, mask, (2,))
    q, goal = _centred(truth, mask, (2,))
    with torch.no_grad():
        u, stretch, vt = torch.linalg.svd(((q * mask[..., None]).transpose(-1, -2) @ p).double())
        proper = torch.ones_like(stretch)
        proper[..., 2] = (torch.linalg.det(u) * torch.linalg.det(vt)).sign()
        rotation = ((u * proper[..., None, :]) @ vt).to(p.dtype)
        spread = (p.square() * mask[..., None]).sum((-1, -2)).clamp(min=1e-12)
        scale = (stretch * proper).sum(-1).to(p.dtype) / spread
    return scale[..., None, None] * (p @ rotation.transpose(-1, -2)) + goal


def aligned_clip(
    found: Float[Tensor, "b t j 3"], truth: Float[Tensor, "b t j 3"], mask: Float[Tensor, "b t j"]
) -> tuple[Float[Tensor, "b"], Float[Tensor, "b t j 3"]]:
    """A clip under one scale and translation, its axes being the camera's already."""
    p, _ = _centred(found, mask, (1, 2))
    q, goal = _centred(truth, mask, (1, 2))
    with torch.no_grad():
        both = (p * q * mask[..., None]).sum((1, 2, 3))
        spread = (p.square() * mask[..., None]).sum((1, 2, 3)).clamp(min=1e-12)
        scale = (both / spread).clamp(min=1e-6)
    return scale, scale[:, None, None, None] * p + goal


def bone_error(
    xyz: Float[Tensor, "b t j 3"],
    truth: Truth,
    scale: Float[Tensor, "b"],
    size: Float[Tensor, "b t"],
) -> Float[Tensor, ""]:
    """How far edges are from their true lengths; bones keep theirs, so they stay constant."""
    pairs = truth.near.triu(1).nonzero()
    b, i, j = pairs.unbind(1)
    if not len(b):
        return xyz.new_zeros(())
    lengths = _length(xyz[b, :, i] - xyz[b, :, j]) * scale[b, None]
    wanted = torch.linalg.vector_norm(truth.xyz[b, :, i] - truth.xyz[b, :, j], dim=-1)
    there = (truth.mask[b, :, i] & truth.mask[b, :, j]).to(xyz.dtype)
    return _mean((lengths - wanted).abs() / size[b], there)


def diagonals(xyz: Float[Tensor, "b t j 3"], mask: Bool[Tensor, "b t j"]) -> Float[Tensor, "b t"]:
    """Of the box around the joints of each frame; 1 for padding."""
    low = xyz.masked_fill(~mask[..., None], float("inf")).amin(2)
    high = xyz.masked_fill(~mask[..., None], float("-inf")).amax(2)
    size = torch.linalg.vector_norm(high - low, dim=-1)
    return torch.where(mask.any(2), size, 1.0).clamp(min=1e-9)


def _centred(
    xyz: Tensor, mask: Tensor, axes: tuple[int, ...]
) -> tuple[Float[Tensor, "b t j 3"], Tensor]:
    weights = mask[..., None]
    total = weights.sum(axes, keepdim=True).clamp(min=1e-9)
    middle = (xyz * weights).sum(axes, keepdim=True) / total
    return (xyz - middle) * weights, middle


def _length(x: Tensor) -> Tensor:
    """Lengths with a gradient at zero too."""
    return (x.square().sum(-1) + 1e-12).sqrt()


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1)


def _pinball(error: Tensor, radius: Tensor, mask: Tensor) -> Tensor:
    """Least where `radius` is the quantile INSIDE of the error (Koenker and Bassett 1978)."""
    beyond = error.detach() - radius
    return _mean(INSIDE * functional.relu(beyond) + (1 - INSIDE) * functional.relu(-beyond), mask)
