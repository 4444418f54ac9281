"""Clouds and meshes in PLY files."""

from __future__ import annotations

from pathlib import Path

from data.cloud_columns import by_name
from data.clouds import PointCloud
from data.meshes import Mesh, surface
from data.ply import read_vertices
from data.ply_elements import TRIANGLES, read_elements
from data.ply_header import read_header


def read(path: Path) -> PointCloud:
    """Its vertices, or points of its surface if it has faces."""
    header = read_header(path)
    faces = header.element("face")
    if faces is None or not faces.count:
        columns, _ = read_vertices(path)
        return by_name(columns, path)
    rows = read_elements(path, header)
    vertices = by_name(rows["vertex"], path)
    triangles = rows["face"].get(TRIANGLES)
    return vertices if triangles is None else surface(Mesh(vertices, triangles), path)
