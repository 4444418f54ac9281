"""Clouds in numpy's files: .npz by the names of arrays, .npy by columns."""

from __future__ import annotations

from pathlib import Path

from data.cloud_columns import by_place, class_numbers, colour_bytes, unit_vectors
from data.clouds import PointCloud
from data.errors import UserError
from data.npz import read_array, read_arrays


def read_npy(path: Path) -> PointCloud:
    """Rows of x, y, z and perhaps colours or normals; UserError for arrays of other shapes."""
    rows = read_array(path)
    if rows.ndim != 2 or rows.shape[1] < 3 or rows.dtype.kind not in "iuf":
        raise UserError(
            f"{path}: expected an array of shape (n, 3) or wider, found {rows.dtype} of shape"
            f" {rows.shape}"
        )
    return by_place(rows, path)


def read_npz(path: Path) -> PointCloud:
    """`xyz` or `points`, and perhaps `rgb` or `colors`, `normals`, `labels`."""
    arrays = read_arrays(path)
    xyz = next((arrays[name] for name in ("xyz", "points") if name in arrays), None)
    if xyz is None or xyz.ndim != 2 or xyz.shape[1] != 3 or xyz.dtype.kind not in "iuf":
        shapes = {name: array.shape for name, array in arrays.items()}
        raise UserError(
            f"{path}: expected an array `xyz` or `points` of shape (n, 3), found {shapes}"
        )
    rgb = next((arrays[name] for name in ("rgb", "colors") if name in arrays), None)
    normals = next((arrays[name] for name in ("normals", "normal") if name in arrays), None)
    labels = next((arrays[name] for name in ("labels", "label") if name in arrays), None)
    wanted = (
        ("colours", rgb, xyz.shape),
        ("normals", normals, xyz.shape),
        ("labels", labels, xyz.shape[:1]),
    )
    for name, found, shape in wanted:
        if found is not None and (found.shape != shape or found.dtype.kind not in "iuf"):
            raise UserError(
                f"{path}: expected {name} of shape {shape}, found {found.dtype} of {found.shape}"
            )
    return PointCloud(
        xyz.astype("f8"),
        None if rgb is None else colour_bytes(rgb),
        None if normals is None else unit_vectors(normals),
        None if labels is None else class_numbers(labels),
    )
