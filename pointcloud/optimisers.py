"""What moves the parameters of a model: AdamW on most of it, natural descent on its Gaussians, both
driven by one rate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from pointcloud.config import FitConfig
from pointcloud.gaussian_encoder import GaussianEncoder
from pointcloud.natural_gradient import GaussianDescent


class Optimisers:
    """One or two optimisers as one; each group's rate is its highest times a common factor."""

    def __init__(self, parts: list[torch.optim.Optimizer], clip: float) -> None:
        self.parts, self.clip = parts, clip
        for group in self.groups():
            group["highest"] = group["lr"]

    def __iter__(self) -> Iterator[torch.optim.Optimizer]:
        return iter(self.parts)

    def groups(self) -> list[dict[str, Any]]:
        """Of all parts."""
        return [group for part in self.parts for group in part.param_groups]

    def step(self, loss: Tensor, factor: float) -> None:
        """Descend once at `factor` of the highest rates; AdamW's gradients are clipped together."""
        for group in self.groups():
            group["lr"] = group["highest"] * factor
            for parameter in group["params"]:
                parameter.grad = None
        loss.backward()
        groups = self.parts[0].param_groups
        nn.utils.clip_grad_norm_([p for group in groups for p in group["params"]], self.clip)
        for part in self.parts:
            part.step()


def optimisers(model: nn.Module, config: FitConfig) -> Optimisers:
    """For what `model` has not frozen. Weight decay is for matrices; Gaussians have none."""
    encoders = [one for one in model.modules() if isinstance(one, GaussianEncoder)]
    encoders = [one for one in encoders if one.means.requires_grad]
    of_gaussians = {id(p) for one in encoders for p in (one.means, one.triangles)}
    trained = [p for p in model.parameters() if p.requires_grad]
    rule = config.gaussians
    if rule != "adamw":
        trained = [p for p in trained if id(p) not in of_gaussians]
    decayed = [p for p in trained if p.dim() > 1 and id(p) not in of_gaussians]
    others = [p for p in trained if p.dim() <= 1 or id(p) in of_gaussians]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}]
    groups += [{"params": others, "weight_decay": 0.0}] if others else []
    # fused: one pass over a parameter's numbers, not ten
    parts: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=config.rate, fused=True)]
    if rule != "adamw" and encoders:
        parts.append(GaussianDescent(encoders, config.gaussian_rate, rule))
    return Optimisers(parts, config.clip)
