"""Splatting with decaying anisotropic radial basis functions: train, render, export.

Names are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from splatting.config import TrainConfig as TrainConfig
    from splatting.rasterization import RenderOutput as RenderOutput
    from splatting.rasterization import render as render
    from splatting.splats import Splats as Splats
    from splatting.training import TrainResult as TrainResult
    from splatting.training import train as train

_HOMES = {
    "RenderOutput": "splatting.rasterization",
    "Splats": "splatting.splats",
    "TrainConfig": "splatting.config",
    "TrainResult": "splatting.training",
    "render": "splatting.rasterization",
    "train": "splatting.training",
}

__all__ = [
    "RenderOutput",
    "Splats",
    "TrainConfig",
    "TrainResult",
    "render",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'splatting' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
