"""Which layers of each model carry an adapter, by the last parts of their names."""

from __future__ import annotations

from backbones.adapters import ATTENTION, FEED_FORWARD
from pointcloud.config import GaussianNetConfig, MambaConfig, ModelConfig, TransformerConfig

_SCAN = ("enter", "leave")
_NECK = ("neck.layers.0", "neck.layers.1", "t_net.layers.0", "t_net.layers.1")
_SHARED = ("encoder.layers.1", "encoder.layers.2")
"""Of a PointNet but the first, which sees three numbers: no room for a rank of four."""


def adaptable(config: ModelConfig) -> tuple[str, ...]:
    """All that see tokens, points, or a cloud's features; not the head."""
    if isinstance(config, TransformerConfig):
        return (*ATTENTION, *FEED_FORWARD)
    if isinstance(config, MambaConfig):
        return _SCAN
    return (*_NECK, *(("mixer",) if isinstance(config, GaussianNetConfig) else _SHARED))


def forgetful(config: ModelConfig) -> tuple[str, ...]:
    """Those that forget: feed-forward ones, as the paper has it, or what comes nearest to them."""
    if isinstance(config, TransformerConfig):
        return FEED_FORWARD
    return _SCAN if isinstance(config, MambaConfig) else _NECK
