"""STL: bare triangles, in bytes or in text."""

from __future__ import annotations

import array
import os
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from data.clouds import PointCloud
from data.errors import UserError
from data.meshes import Mesh, surface

_TITLE, _COUNT, _TRIANGLE = 80, 4, 50
"""Bytes of the parts of a binary one."""


def read(path: Path) -> PointCloud:
    """Points of its surface."""
    with open(path, "rb") as stream:
        head = stream.read(_TITLE + _COUNT)
        size = os.fstat(stream.fileno()).st_size
    count = int.from_bytes(head[_TITLE:], "little") if len(head) == _TITLE + _COUNT else -1
    room = (size - _TITLE - _COUNT) // _TRIANGLE
    # binary ones may begin with `solid` too: their size says what they are
    if head.lstrip()[:5] == b"solid" and count != room:
        corners = _from_text(path)
    elif 0 < count <= room:
        corners = _from_bytes(path, count)
    else:
        raise UserError(
            f"{path}: expected an STL mesh, found {size} bytes that are no text and"
            f" {f'room for {max(room, 0)} of {count} triangles' if count > 0 else 'no triangles'};"
            " write or download it again"
        )
    triangles = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    return surface(Mesh(PointCloud(corners), triangles), path)


def _from_bytes(path: Path, count: int) -> Float64[np.ndarray, "n 3"]:
    layout = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("of_program", "<u2")])
    rows = np.fromfile(path, layout, count, offset=_TITLE + _COUNT)
    return rows["corners"].reshape(-1, 3).astype(np.float64)


def _from_text(path: Path) -> Float64[np.ndarray, "n 3"]:
    numbers = array.array("d")
    try:
        with open(path, encoding="latin-1") as stream:
            for line in stream:
                words = line.split()
                if words[:1] == ["vertex"]:
                    x, y, z = words[1:4]
                    numbers.extend((float(x), float(y), float(z)))
    except ValueError as error:
        raise UserError(
            f"{path}: expected an STL mesh with lines `vertex x y z`, found: {error}; write or"
            " download it again"
        ) from None
    if not numbers or len(numbers) % 9:
        raise UserError(
            f"{path}: expected an STL mesh of three vertices a triangle, found"
            f" {len(numbers) // 3} vertices; write or download it again"
        )
    return np.array(numbers).reshape(-1, 3)
