"""Point clouds: `PointCloud`, and reading one from the usual files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from data.errors import UserError

TABLES = (".xyz", ".txt", ".pts", ".asc", ".xyzn", ".xyzrgb")
MESHES = (".off", ".obj", ".stl")
READ = (".ply", ".pcd", ".las", ".laz", ".npy", ".npz", ".bin", *TABLES, *MESHES)
"""Endings of the files that are read."""


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points in world units, with what else is known of them."""

    xyz: Float64[np.ndarray, "n 3"]
    rgb: UInt8[np.ndarray, "n 3"] | None = None
    """sRGB bytes."""
    normals: Float64[np.ndarray, "n 3"] | None = None
    """Unit vectors, zero where unknown."""
    labels: Int64[np.ndarray, "n"] | None = None
    """The class of each point."""

    def __len__(self) -> int:
        return len(self.xyz)

    def take(self, rows: np.ndarray) -> PointCloud:
        """The points at `rows`, indices or a mask."""
        others = (self.rgb, self.normals, self.labels)
        return PointCloud(self.xyz[rows], *(None if a is None else a[rows] for a in others))


def read_cloud(path: str | Path) -> PointCloud:
    """The points of a .ply, .pcd, .las, .laz, .npy, .npz, .bin (KITTI), table of text, or of the
    surface of a mesh: .off, .obj, .stl, .ply with faces.

    Points that are not finite are dropped. Raises `UserError` for a missing, broken or empty file.
    """
    from data import (
        clouds_arrays,
        clouds_kitti,
        clouds_las,
        clouds_pcd,
        clouds_ply,
        clouds_text,
        meshes_obj,
        meshes_off,
        meshes_stl,
    )

    path = Path(path)
    if not path.is_file():
        found = "a folder" if path.is_dir() else "none"
        raise UserError(f"{path}: expected a point-cloud file, found {found}")
    readers: dict[str, Callable[[Path], PointCloud]] = {
        ".ply": clouds_ply.read,
        ".pcd": clouds_pcd.read,
        ".las": clouds_las.read,
        ".laz": clouds_las.read,
        ".npy": clouds_arrays.read_npy,
        ".npz": clouds_arrays.read_npz,
        ".bin": clouds_kitti.read,
        **dict.fromkeys(TABLES, clouds_text.read),
        ".off": meshes_off.read,
        ".obj": meshes_obj.read,
        ".stl": meshes_stl.read,
    }
    if path.suffix.lower() not in readers:
        raise UserError(
            f"{path}: expected a point cloud or a mesh ({', '.join(readers)}), found"
            f" {path.suffix or 'a file without an ending'}; convert it to .ply"
        )
    with np.errstate(all="ignore"):  # a spoilt number is dropped below, without a word
        cloud = readers[path.suffix.lower()](path)
    kept = np.asarray(np.isfinite(cloud.xyz).all(axis=1))
    if not kept.any():
        raise UserError(f"{path}: expected points, found none that is finite")
    return cloud if kept.all() else cloud.take(kept)
