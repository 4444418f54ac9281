"""Which layers of each model carry an adapter, by the last part of their names."""

from __future__ import annotations

from backbones.adapters import ATTENTION, FEED_FORWARD
from pointcloud.config import GaussianNetConfig, MambaConfig, ModelConfig, TransformerConfig

_SCAN = ("enter", "leave")
_NECK = ("0", "1")
"""Of the neck and of the T-Net; a PointNet calls its own layers so, too."""


def adaptable(config: ModelConfig) -> tuple[str, ...]:
    """All that see tokens, points, or a cloud's features; not the head."""
    if isinstance(config, TransformerConfig):
        return (*ATTENTION, *FEED_FORWARD)
    if isinstance(config, MambaConfig):
        return _SCAN
    return (*_NECK, "mixer" if isinstance(config, GaussianNetConfig) else "2")


def forgetful(config: ModelConfig) -> tuple[str, ...]:
    """Those that forget: feed-forward ones, as the paper has it, or what comes nearest to them."""
    if isinstance(config, TransformerConfig):
        return FEED_FORWARD
    return _SCAN if isinstance(config, MambaConfig) else _NECK
