"""One small configuration of every kind of classifier."""

from __future__ import annotations

from backbones.config import BackboneConfig
from pointcloud.config import (
    GaussianConfig,
    GaussianNetConfig,
    MambaConfig,
    ModelConfig,
    PointNetConfig,
    TransformerConfig,
)

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
