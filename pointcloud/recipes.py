"""How each model is trained unless one says otherwise: what published recipes for ModelNet40 agree
on (label smoothing, stretching and shifting; no rotation, since clouds stand upright), and as much
of it as the passes that a CPU has time for can learn (docs/clouds.md has the figures)."""

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
_POINTS = {"smoothing": 0.2, "drop": 0.5}
_MILD = {"scale": 1.25, "shift": 0.1}
_GROUPS = {"smoothing": 0.2, "drop": 0.5, "rate": 5e-4, "clip": 10.0}
RECIPES: dict[str, dict[str, Any]] = {
    "transformer": _POINTS,
    "pointnet": {**_POINTS, **_MILD, "rate": 2e-3},
    "3dgpe": {**_POINTS, **_MILD},
    "mamba3d": _GROUPS,
    "mamba3d-3dgpe": {**_GROUPS, "gaussian_rate": 5e-3},
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


def changes_of(config: ModelConfig) -> dict[str, Any]:
    """How the recipe of that model changes clouds: an adapter is shown what its base was."""
    recipe = RECIPES[name_of(config)]
    return {name: recipe[name] for name in ("scale", "shift", "drop") if name in recipe}
