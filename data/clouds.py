"""Point clouds: `PointCloud`, and reading one from the usual files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8

from data import ply
from data.errors import UserError


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points in world units, with colours (sRGB bytes) where known."""

    xyz: Float64[np.ndarray, "n 3"]
    rgb: UInt8[np.ndarray, "n 3"] | None = None

    def __len__(self) -> int:
        return len(self.xyz)


def read_cloud(path: str | Path) -> PointCloud:
    """The points of a .ply, .npz (`xyz` or `points`, `rgb` or `colors`), .xyz/.txt, or open3d file.

    Points that are not finite are dropped. Raises `UserError` for a missing, broken or empty file.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: expected a point-cloud file, found none")
    readers = {".ply": _from_ply, ".npz": _from_npz, ".xyz": _from_text, ".txt": _from_text}
    cloud = readers.get(path.suffix.lower(), _from_open3d)(path)
    kept = np.isfinite(cloud.xyz).all(axis=1)
    if not kept.any():
        raise UserError(f"{path}: expected points, found none that is finite")
    return PointCloud(cloud.xyz[kept], None if cloud.rgb is None else cloud.rgb[kept])


def _from_ply(path: Path) -> PointCloud:
    columns, _ = ply.read_vertices(path)
    missing = [name for name in "xyz" if name not in columns]
    if missing:
        raise UserError(
            f"{path}: expected vertex properties x, y, z, found {', '.join(columns) or 'none'}"
        )
    xyz = np.stack([columns[name] for name in "xyz"], -1).astype(np.float64)
    for names in (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue")):
        if all(name in columns for name in names):
            return PointCloud(xyz, _bytes(np.stack([columns[name] for name in names], -1)))
    return PointCloud(xyz)


def _from_npz(path: Path) -> PointCloud:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise UserError(f"{path}: expected a .npz archive, found a broken file: {error}") from None
    except Exception as error:  # zipfile and zlib errors share no base class
        raise UserError(f"{path}: expected a .npz archive, found: {error}") from None
    xyz = next((arrays[name] for name in ("xyz", "points") if name in arrays), None)
    if xyz is None or xyz.ndim != 2 or xyz.shape[1] != 3:
        shapes = {name: array.shape for name, array in arrays.items()}
        raise UserError(
            f"{path}: expected an array `xyz` or `points` of shape (n, 3), found {shapes}"
        )
    rgb = next((arrays[name] for name in ("rgb", "colors") if name in arrays), None)
    if rgb is not None and rgb.shape != xyz.shape:
        raise UserError(f"{path}: expected colours of shape {xyz.shape}, found {rgb.shape}")
    return PointCloud(xyz.astype(np.float64), None if rgb is None else _bytes(rgb))


def _from_text(path: Path) -> PointCloud:
    try:
        rows = np.loadtxt(path, ndmin=2, comments=("#", "//"), encoding="utf-8-sig")
    except ValueError as error:
        raise UserError(
            f"{path}: expected rows `x y z [r g b]` of numbers, found: {error}"
        ) from None
    if rows.shape[1] < 3:
        raise UserError(f"{path}: expected at least 3 columns, found {rows.shape[1]}")
    return PointCloud(rows[:, :3], _bytes(rows[:, 3:6]) if rows.shape[1] == 6 else None)


def _from_open3d(path: Path) -> PointCloud:
    try:
        import open3d
    except ImportError as error:
        raise UserError(
            f"{path}: files of this type are read by open3d, which cannot be imported here "
            f"({error}); install it with the system packages libusb-1.0-0 and libgl1, or convert "
            "the cloud to .ply"
        ) from None
    with open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error):
        cloud = open3d.io.read_point_cloud(path)
    xyz = np.asarray(cloud.points, np.float64)
    if not len(xyz):
        raise UserError(
            f"{path}: expected a point cloud (.ply, .npz, .xyz, .pcd, .pts), found no points in it"
        )
    return PointCloud(xyz, _bytes(np.asarray(cloud.colors)) if cloud.has_colors() else None)


def _bytes(colours: np.ndarray) -> UInt8[np.ndarray, "n 3"]:
    """Colours as bytes, whether they came as 0..255 or as fractions."""
    if colours.dtype == np.uint8:
        return colours
    colours = np.nan_to_num(colours.astype(np.float64))
    scale = 255.0 if colours.size and colours.max() <= 1.0 else 1.0
    return np.clip(np.rint(colours * scale), 0, 255).astype(np.uint8)
