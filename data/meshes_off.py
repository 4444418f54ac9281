"""OFF: ModelNet's meshes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data.clouds import PointCloud
from data.errors import UserError
from data.fans import Fans
from data.meshes import Mesh, surface


def read(path: Path) -> PointCloud:
    """Points of its surface. Words may follow `OFF` without a blank, as in some of ModelNet's."""
    try:
        return surface(_mesh(path), path)
    except (ValueError, OverflowError) as error:
        raise UserError(
            f"{path}: expected an OFF mesh, found {error}; write or download it again"
        ) from None


def _mesh(path: Path) -> Mesh:
    with open(path, encoding="latin-1") as stream:
        lines = _lines(stream)
        kind, at, rest = next(lines, "").partition("OFF")
        if not at or kind not in ("", "C", "N", "ST", "STC", "CN"):
            raise ValueError("no OFF in its first line")
        counts = (rest.strip() or next(lines, "")).split()
        if counts[:1] == ["BINARY"]:
            raise ValueError("a binary one, which is not read; save it as text or .ply")
        numbers = [int(word) for word in counts[:2]]
        # a line of a vertex has five letters or more, one of a face two
        if len(numbers) < 2 or min(numbers) < 0 or 5 * numbers[0] > path.stat().st_size:
            raise ValueError(f"{' '.join(counts)!r:.60} for the numbers of vertices and faces")
        xyz = np.empty((0, 3))
        if numbers[0]:
            vertices = _exactly(lines, numbers[0], "vertices")
            xyz = np.loadtxt(vertices, ndmin=2, usecols=(0, 1, 2))
        triangles = Fans()
        triangles.add_lines(_exactly(lines, numbers[1], "faces"))
    return Mesh(PointCloud(xyz), triangles.array())


def _lines(stream: Iterator[str]) -> Iterator[str]:
    """Those that hold more than a comment."""
    for line in stream:
        if bare := line.partition("#")[0].strip():
            yield bare


def _exactly(lines: Iterator[str], count: int, what: str) -> Iterator[str]:
    """So many lines; ValueError where there are fewer."""
    for _ in range(count):
        line = next(lines, None)
        if line is None:
            raise ValueError(f"its end among the {what}")
        yield line
