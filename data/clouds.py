"""Point clouds: `PointCloud`, and reading one from the usual files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from data import ply
from data.errors import UserError
from data.npz import read_arrays

READ = (".ply", ".npz", ".xyz", ".txt", ".pcd", ".pts", ".xyzn", ".xyzrgb")
"""Endings of the files that are read."""
_CLASS_COLUMNS = ("label", "class", "classification", "scalar_Label", "scalar_Classification")
"""Names under which programs write the class of a point."""


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
    """The points of a .ply, .npz (`xyz` or `points`, `rgb` or `colors`, `normals`, `labels`),
    .xyz/.txt, or open3d file.

    Points that are not finite are dropped. Raises `UserError` for a missing, broken or empty file.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: expected a point-cloud file, found none")
    readers = {".ply": _from_ply, ".npz": _from_npz, ".xyz": _from_text, ".txt": _from_text}
    cloud = readers.get(path.suffix.lower(), _from_open3d)(path)
    kept = np.asarray(np.isfinite(cloud.xyz).all(axis=1))
    if not kept.any():
        raise UserError(f"{path}: expected points, found none that is finite")
    return cloud if kept.all() else cloud.take(kept)


def _from_ply(path: Path) -> PointCloud:
    columns, _ = ply.read_vertices(path)
    missing = [name for name in "xyz" if name not in columns]
    if missing:
        raise UserError(
            f"{path}: expected vertex properties x, y, z, found {', '.join(columns) or 'none'}"
        )
    xyz = np.stack([columns[name] for name in "xyz"], -1).astype(np.float64)

    def three(*names: str) -> np.ndarray | None:
        there = all(name in columns for name in names)
        return np.stack([columns[name] for name in names], -1) if there else None

    rgb = three("red", "green", "blue")
    if rgb is None:
        rgb = three("diffuse_red", "diffuse_green", "diffuse_blue")
    labels = next((columns[name] for name in _CLASS_COLUMNS if name in columns), None)
    return PointCloud(
        xyz,
        None if rgb is None else _bytes(rgb),
        _units(three("nx", "ny", "nz")),
        _whole(labels),
    )


def _from_npz(path: Path) -> PointCloud:
    arrays = read_arrays(path)
    xyz = next((arrays[name] for name in ("xyz", "points") if name in arrays), None)
    if xyz is None or xyz.ndim != 2 or xyz.shape[1] != 3:
        shapes = {name: array.shape for name, array in arrays.items()}
        raise UserError(
            f"{path}: expected an array `xyz` or `points` of shape (n, 3), found {shapes}"
        )
    rgb = next((arrays[name] for name in ("rgb", "colors") if name in arrays), None)
    if rgb is not None and rgb.shape != xyz.shape:
        raise UserError(f"{path}: expected colours of shape {xyz.shape}, found {rgb.shape}")
    normals = next((arrays[name] for name in ("normals", "normal") if name in arrays), None)
    labels = next((arrays[name] for name in ("labels", "label") if name in arrays), None)
    for name, found, shape in (("normals", normals, xyz.shape), ("labels", labels, xyz.shape[:1])):
        if found is not None and (found.shape != shape or found.dtype.kind not in "iuf"):
            raise UserError(f"{path}: expected {name} of shape {shape}, found {found.shape}")
    return PointCloud(
        xyz.astype(np.float64),
        None if rgb is None else _bytes(rgb),
        _units(normals),
        _whole(labels),
    )


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
    return PointCloud(
        xyz,
        _bytes(np.asarray(cloud.colors)) if cloud.has_colors() else None,
        _units(np.asarray(cloud.normals)) if cloud.has_normals() else None,
    )


def _bytes(colours: np.ndarray) -> UInt8[np.ndarray, "n 3"]:
    """Colours as bytes, whether they came as 0..255 or as fractions."""
    if colours.dtype == np.uint8:
        return colours
    colours = np.nan_to_num(colours.astype(np.float64))
    scale = 255.0 if colours.size and colours.max() <= 1.0 else 1.0
    return np.clip(np.rint(colours * scale), 0, 255).astype(np.uint8)


def _units(normals: np.ndarray | None) -> Float64[np.ndarray, "n 3"] | None:
    """Normals of length 1, or 0 where there is none; None where there are none at all."""
    if normals is None:
        return None
    normals = np.nan_to_num(normals.astype(np.float64), posinf=0.0, neginf=0.0)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    found = normals / np.where(lengths > 0, lengths, 1.0)
    return found if found.any() else None


def _whole(labels: np.ndarray | None) -> Int64[np.ndarray, "n"] | None:
    """Classes as whole numbers; None for numbers that are no classes."""
    if labels is None:
        return None
    rounded = np.rint(np.nan_to_num(labels.astype(np.float64), nan=-1.0))
    if (np.abs(rounded) > 1e9).any():
        return None
    return rounded.astype(np.int64)
