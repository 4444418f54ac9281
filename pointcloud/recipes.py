"""How each model is trained unless one says otherwise: what published recipes for ModelNet40 agree
on (label smoothing, stretching and shifting; no rotation, since clouds stand upright), and half as
much of it, which the passes that a CPU has time for can learn (docs/clouds.md has the figures)."""

from __future__ import annotations

from typing import Any, Literal

from pointcloud.config import (
    GaussianConfig,
    GaussianNetConfig,
    MambaConfig,
    ModelConfig,
    PointNetConfig,
    TransformerConfig,
)

Name = Literal["transformer", "pointnet", "3dgpe", "mamba3d", "mamba3d-3dgpe"]
CHANGES: dict[str, Any] = {"drop": 0.5, "scale": 1.25, "shift": 0.1}
"""What is done to clouds in all of them: an adapter is shown what its base was."""
_ALL = {"smoothing": 0.2, **CHANGES}
_MAMBA = {**_ALL, "rate": 5e-4, "clip": 10.0}
RECIPES: dict[str, dict[str, Any]] = {
    "transformer": _ALL,
    "pointnet": {**_ALL, "rate": 2e-3},
    "3dgpe": _ALL,
    "mamba3d": _MAMBA,
    "mamba3d-3dgpe": {**_MAMBA, "gaussian_rate": 5e-3},
}
"""Fields of FitConfig that differ from its defaults."""


def default_config(name: Name, gaussian: GaussianConfig | None = None) -> ModelConfig:
    """The configuration of a model that a CPU trains."""
    gaussian = gaussian or GaussianConfig()
    if name == "pointnet":
        return PointNetConfig()
    if name == "3dgpe":
        return GaussianNetConfig(encoder=gaussian)
    if name == "transformer":
        return TransformerConfig()
    small = MambaConfig.small("pointnet" if name == "mamba3d" else "gaussian")
    return MambaConfig(**{**vars(small), "gaussian": gaussian})


def name_of(config: ModelConfig) -> Name:
    """The model that a configuration is one of."""
    if isinstance(config, MambaConfig):
        return "mamba3d" if config.encoder == "pointnet" else "mamba3d-3dgpe"
    names: dict[type, Name] = {
        TransformerConfig: "transformer",
        PointNetConfig: "pointnet",
        GaussianNetConfig: "3dgpe",
    }
    return names[type(config)]
