"""Clouds cut into tiles of a few dozen points, which one thread keeps in its first cache."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from pointcloud.cpu.mixing import ROWS

TILE = 8 * ROWS
"""Points of a tile at most: with 128 numbers each, 24 kB."""
PARTS = 8
"""Threads that one cloud is for, each with a maximum of its own; a fixed number."""
REACH = 1.0
"""Half the side of the cube that voxels divide; those at its border go on without end."""


@dataclass(frozen=True, eq=False)
class Tiles:
    """Points in the order of their tiles."""

    points: Float32[np.ndarray, "n 3"]
    begins: Int64[np.ndarray, "t"]
    """First point of each tile."""
    sizes: Int64[np.ndarray, "t"]
    cells: Int64[np.ndarray, "t"]
    """The voxel that each tile lies in."""
    firsts: Int64[np.ndarray, "b1"]
    """First tile of each cloud, and the number of tiles."""

    @staticmethod
    def of(clouds: list[Float32[np.ndarray, "_ 3"]], voxels: int = 1) -> Tiles:
        """Tiles of points next to each other as they come, or, with more than one voxel a side, of
        points in the same voxel."""
        lengths = np.array([len(cloud) for cloud in clouds])
        points = np.ascontiguousarray(np.concatenate(clouds), np.float32)
        runs = np.repeat(np.arange(len(clouds)), lengths)
        if voxels > 1:
            runs = runs * voxels**3 + voxel_of(points, voxels)
            order = np.argsort(runs, kind="stable")
            points, runs = points[order], runs[order]
        begins = np.flatnonzero(np.diff(runs, prepend=-1))
        ends = np.append(begins[1:], len(points))
        pieces = -(-(ends - begins) // TILE)
        piece = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        starts = np.repeat(begins, pieces) + piece * TILE
        sizes = np.minimum(np.repeat(ends, pieces) - starts, TILE)
        clouds_of, cells = np.divmod(runs[starts], voxels**3)
        firsts = np.searchsorted(clouds_of, np.arange(len(clouds) + 1))
        return Tiles(points, starts, sizes, cells, firsts)


def voxel_of(points: Float32[np.ndarray, "n 3"], voxels: int) -> Int64[np.ndarray, "n"]:
    """The number of each point's voxel; points outside the cube belong to its border."""
    scaled = np.floor((points + REACH) * np.float32(voxels / (2 * REACH)))
    places = np.clip(scaled, 0, voxels - 1).astype(np.int64)
    return (places[:, 0] * voxels + places[:, 1]) * voxels + places[:, 2]
