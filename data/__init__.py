"""What comes from disk and goes back: cameras, scenes, point clouds, their readers and writers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data.camera import Camera
    from data.clouds import PointCloud, read_cloud
    from data.errors import UserError
    from data.keypoints import Keypoints2D, read_keypoints
    from data.motion import Motion
    from data.motion_files import read_motions, write_motions
    from data.scene import Scene, View, inner_split, load_scene
    from data.skeleton import Skeleton

_HOME = {
    "Camera": "data.camera",
    "Keypoints2D": "data.keypoints",
    "Motion": "data.motion",
    "PointCloud": "data.clouds",
    "Scene": "data.scene",
    "Skeleton": "data.skeleton",
    "UserError": "data.errors",
    "View": "data.scene",
    "inner_split": "data.scene",
    "load_scene": "data.scene",
    "read_cloud": "data.clouds",
    "read_keypoints": "data.keypoints",
    "read_motions": "data.motion_files",
    "write_motions": "data.motion_files",
}

__all__ = [
    "Camera",
    "Keypoints2D",
    "Motion",
    "PointCloud",
    "Scene",
    "Skeleton",
    "UserError",
    "View",
    "inner_split",
    "load_scene",
    "read_cloud",
    "read_keypoints",
    "read_motions",
    "write_motions",
]


def __getattr__(name: str) -> Any:
    """Import the module that holds `name` at its first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'data' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
