"""KITTI's scans: float32 x, y, z, reflectance, without a header."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.clouds import PointCloud
from data.errors import UserError

_FARTHEST_M = 1e5
"""No scanner reaches so far: other bytes read as numbers do at once."""
_SMALLEST_M = 1e-9
_LIKELY = 0.95
"""Share of coordinates that has to be a length a scanner gives."""


def read(path: Path) -> PointCloud:
    """The points; UserError for bytes that are no such scan."""
    content = path.read_bytes()
    if not content or len(content) % 16:
        raise UserError(
            f"{path}: expected a KITTI scan (float32 x, y, z, reflectance: 16 bytes a point), found"
            f" {len(content)} bytes; save other layouts as .npy"
        )
    xyz = np.frombuffer(content, "<f4").reshape(-1, 4)[:, :3]
    size = np.abs(xyz)
    if ((size == 0) | ((size > _SMALLEST_M) & (size < _FARTHEST_M))).mean() < _LIKELY:
        raise UserError(
            f"{path}: expected a KITTI scan (float32 x, y, z, reflectance), found bytes that are no"
            " lengths in metres; save other layouts as .npy"
        )
    return PointCloud(xyz.astype(np.float64))
