"""What comes from disk and goes back: cameras, scenes, point clouds, their readers and writers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data.camera import Camera
    from data.clouds import PointCloud, read_cloud
    from data.errors import UserError
    from data.scene import Scene, View, inner_split, load_scene

_HOME = {
    "Camera": "data.camera",
    "PointCloud": "data.clouds",
    "Scene": "data.scene",
    "UserError": "data.errors",
    "View": "data.scene",
    "inner_split": "data.scene",
    "load_scene": "data.scene",
    "read_cloud": "data.clouds",
}

__all__ = [
    "Camera",
    "PointCloud",
    "Scene",
    "UserError",
    "View",
    "inner_split",
    "load_scene",
    "read_cloud",
]


def __getattr__(name: str) -> Any:
    """Import the module that holds `name` at its first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'data' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
