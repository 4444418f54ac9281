"""OBJ: vertices and faces; materials and textures are left aside."""

from __future__ import annotations

import array
from pathlib import Path

import numpy as np

from data.cloud_columns import colour_bytes
from data.clouds import PointCloud
from data.errors import UserError
from data.fans import Fans
from data.meshes import Mesh, surface


def read(path: Path) -> PointCloud:
    """Points of its surface, or its vertices if it has no faces."""
    try:
        mesh = _mesh(path)
    except (ValueError, IndexError, OverflowError) as error:
        raise UserError(
            f"{path}: expected an OBJ mesh, found {error}; write or download it again"
        ) from None
    if not len(mesh.vertices):
        raise UserError(f"{path}: expected an OBJ mesh with lines `v x y z`, found none")
    return surface(mesh, path)


def _mesh(path: Path) -> Mesh:
    numbers, colours, triangles = array.array("d"), array.array("d"), Fans()
    with open(path, encoding="latin-1") as stream:
        for line in stream:
            if line.startswith(("v ", "v\t")):
                values = [float(word) for word in line.split()[1:7]]
                if len(values) < 3:
                    raise ValueError(f"{len(values)} numbers in {line.strip()!r:.60}")
                numbers.extend(values[:3])
                colours.extend(values[3:] if len(values) == 6 else ())
            elif line.startswith(("f ", "f\t")):
                so_far = len(numbers) // 3
                corners = [int(word.partition("/")[0]) for word in line.split()[1:]]
                # counted from 1, or backwards from the last vertex so far
                triangles.add([k - 1 if k > 0 else so_far + k if k else -1 for k in corners])
    xyz = np.array(numbers).reshape(-1, 3)
    rgb = colour_bytes(np.array(colours).reshape(-1, 3)) if len(colours) == xyz.size > 0 else None
    return Mesh(PointCloud(xyz, rgb), triangles.array())
