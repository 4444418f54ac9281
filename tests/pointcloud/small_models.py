"""One small configuration of every kind of classifier."""

from __future__ import annotations

import torch

from backbones.config import BackboneConfig
from pointcloud.classifier_files import new_model
from pointcloud.config import (
    GaussianConfig,
    GaussianNetConfig,
    MambaConfig,
    ModelConfig,
    PointNetConfig,
    TransformerConfig,
)
from tests.pointcloud.solids import made_clouds

_FEW = GaussianConfig(gaussians=8)
_GROUPS = {"points": 128, "centres": 12, "neighbours": 6}
_MAMBA = {**_GROUPS, "width": 24, "depth": 2, "state": 4, "drop_path": 0.0, "dropout": 0.0}

SMALL: dict[str, ModelConfig] = {
    "pointnet": PointNetConfig(128, (16, 24, 40), t_net=False, dropout=0.0),
    "pointnet with T-Net": PointNetConfig(128, (16, 24, 40), dropout=0.0),
    "3dgpe": GaussianNetConfig(128, 40, t_net=False, dropout=0.0, encoder=_FEW),
    "3dgpe with T-Net": GaussianNetConfig(128, 40, dropout=0.0, encoder=_FEW),
    "transformer": TransformerConfig(
        **_GROUPS, backbone=BackboneConfig(width=24, depth=2, heads=3, head_dim=8)
    ),
    "mamba3d": MambaConfig(**_MAMBA),
    "mamba3d-3dgpe": MambaConfig(**_MAMBA, encoder="gaussian", gaussian=_FEW),
}


def moved(config: ModelConfig):
    """A model of three classes whose every number has moved away from where it began."""
    made = new_model(config, 3, seed=1).train()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for value in made.parameters():
            value += 0.05 * torch.randn(value.shape, generator=generator)
        for _ in range(3):
            made(*made.prepare(made_clouds(("ball", "box", "rod"), 4, 200).clouds))
    return made.eval()
