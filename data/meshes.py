"""Triangle meshes as clouds: points spread evenly over the surface, the same ones every time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int32

from data.clouds import PointCloud
from data.errors import UserError

SURFACE_POINTS = 16_384
"""Of a mesh of fewer vertices; finer meshes give as many points as they have vertices."""
_SEED = 0
_BLOCK = 1 << 16
"""Triangles or points that are worked on at a time: a file is smaller than what that takes."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """Vertices, with what is known of them, and triangles between them."""

    vertices: PointCloud
    triangles: Int32[np.ndarray, "m 3"]


def surface(mesh: Mesh, path: Path) -> PointCloud:
    """Points on the triangles, area-weighted, with their normals; colours between those of the
    corners, classes of the nearest corner.

    The vertices themselves where there are no triangles, or none with an area. UserError for
    triangles of vertices that the mesh has not.
    """
    vertices, triangles = mesh.vertices, mesh.triangles
    if not len(triangles):
        return vertices
    if not len(vertices) or triangles.min() < 0 or triangles.max() >= len(vertices):
        raise UserError(
            f"{path}: expected faces of vertices 0 to {len(vertices) - 1}, found"
            f" {triangles.min()} to {triangles.max()}; write or download it again"
        )
    size = np.abs(vertices.xyz, where=np.isfinite(vertices.xyz), out=np.zeros_like(vertices.xyz))
    scale = size.max() or 1.0
    areas = _areas(vertices.xyz / scale, triangles)
    if not areas.any():
        return vertices
    count = max(SURFACE_POINTS, len(vertices))
    chosen, shares = _places(areas, count)
    pieces = [
        _at(vertices, triangles[chosen[k : k + _BLOCK]], shares[k : k + _BLOCK], scale)
        for k in range(0, count, _BLOCK)
    ]
    return _joined(pieces)


def _areas(xyz: Float64[np.ndarray, "n 3"], triangles: np.ndarray) -> Float64[np.ndarray, "m"]:
    """Areas of triangles; 0 where a corner is not finite."""
    found = np.empty(len(triangles))
    for start in range(0, len(triangles), _BLOCK):
        a, b, c = (xyz[triangles[start : start + _BLOCK, k]] for k in range(3))
        found[start : start + _BLOCK] = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    return np.nan_to_num(found, posinf=0.0)


def _places(
    areas: Float64[np.ndarray, "m"], count: int
) -> tuple[np.ndarray, Float64[np.ndarray, "count 3"]]:
    """Triangles by number, and what each corner counts: one place in each `count`-th of the area,
    so that no part of a surface is left bare by chance."""
    generator = np.random.default_rng(_SEED)
    reached = np.cumsum(areas)
    steps = (np.arange(count) + generator.uniform(size=count)) * (reached[-1] / count)
    chosen = np.minimum(np.searchsorted(reached, steps, side="right"), len(areas) - 1)
    root, along = np.sqrt(generator.uniform(size=count)), generator.uniform(size=count)
    return chosen, np.stack([1 - root, root * (1 - along), root * along], 1)


def _at(
    vertices: PointCloud,
    corners: np.ndarray,
    shares: Float64[np.ndarray, "count 3"],
    scale: float,
) -> PointCloud:
    """The points between corners; `scale`, about the size of the mesh, keeps products finite."""
    sides = vertices.xyz[corners]
    first, second = ((sides[:, k] - sides[:, 0]) / scale for k in (1, 2))
    normals = np.cross(first, second)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    found = PointCloud(
        np.einsum("nc,ncd->nd", shares, sides),
        normals=normals / np.where(lengths > 0, lengths, 1.0),
    )
    if vertices.rgb is not None:
        mixed = np.einsum("nc,ncd->nd", shares, vertices.rgb[corners].astype(np.float64))
        found = replace(found, rgb=np.rint(mixed).astype(np.uint8))
    if vertices.labels is not None:
        nearest = corners[np.arange(len(corners)), shares.argmax(1)]
        found = replace(found, labels=vertices.labels[nearest])
    return found


def _joined(pieces: list[PointCloud]) -> PointCloud:
    """One cloud of pieces that know the same of their points."""

    def column(name: str) -> np.ndarray | None:
        parts = [getattr(piece, name) for piece in pieces]
        return None if parts[0] is None else np.concatenate(parts)

    xyz = np.concatenate([piece.xyz for piece in pieces])
    return PointCloud(xyz, column("rgb"), column("normals"), column("labels"))
