"""calibration.toml of anipose and sleap-anipose: cameras by name, their lenses left aside."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np

from data.camera import Camera
from data.errors import UserError


def read_calibration(path: str | Path) -> dict[str, Camera]:
    """Cameras by name; `cam_from_world` in the file's units. UserError for a broken file."""
    from scipy.spatial.transform import Rotation

    path = Path(path)
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected a calibration.toml, found: {error!s:.80}") from None
    cameras = {}
    for key, part in content.items():
        if not isinstance(part, dict) or "matrix" not in part:
            continue
        try:
            K = np.array(part["matrix"], np.float64)
            width, height = (int(side) for side in part["size"])
            cam_from_world = np.eye(4)
            rotvec = np.array(part.get("rotation", [0.0, 0.0, 0.0]), np.float64)
            cam_from_world[:3, :3] = Rotation.from_rotvec(rotvec).as_matrix()
            cam_from_world[:3, 3] = part.get("translation", [0.0, 0.0, 0.0])
            if K.shape != (3, 3) or not np.isfinite(K).all() or K[0, 0] <= 0 or width <= 0:
                raise ValueError(f"a matrix of shape {K.shape} and width {width}")
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise UserError(
                f"{path}: expected size, matrix, rotation and translation of {key}, found:"
                f" {error!s:.80}"
            ) from None
        cameras[str(part.get("name", key))] = Camera(K, cam_from_world, width, height)
    if not cameras:
        raise UserError(f"{path}: expected cameras with a matrix, found none")
    return cameras
