"""Clouds cut into tiles of a few dozen points, which one thread keeps in its first cache."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64
from numba import njit

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
        if voxels == 1:
            starts, sizes, firsts = _cut(lengths)
            return Tiles(points, starts, sizes, np.zeros_like(starts), firsts)
        runs = np.repeat(np.arange(len(clouds)), lengths) * voxels**3 + voxel_of(points, voxels)
        order = np.argsort(runs, kind="stable")
        points, runs = points[order], runs[order]
        starts, sizes, _ = _cut(np.diff(np.flatnonzero(np.diff(runs, prepend=-1, append=-1))))
        clouds_of, cells = np.divmod(runs[starts], voxels**3)
        firsts = np.searchsorted(clouds_of, np.arange(len(clouds) + 1))
        return Tiles(points, starts, sizes, cells, firsts)


@njit(error_model="numpy", nogil=True, cache=True)
def _cut(lengths):
    """Runs of points, one after the other, cut into tiles: where each begins, its size, and the
    first tile of each run, with their number."""
    firsts = np.zeros(len(lengths) + 1, np.int64)
    for run in range(len(lengths)):
        firsts[run + 1] = firsts[run] + (lengths[run] + TILE - 1) // TILE
    starts, sizes = np.empty(firsts[-1], np.int64), np.empty(firsts[-1], np.int64)
    begin = 0
    for run in range(len(lengths)):
        for tile in range(firsts[run], firsts[run + 1]):
            done = (tile - firsts[run]) * TILE
            starts[tile], sizes[tile] = begin + done, min(lengths[run] - done, TILE)
        begin += lengths[run]
    return starts, sizes, firsts


def voxel_of(points: Float32[np.ndarray, "n 3"], voxels: int) -> Int64[np.ndarray, "n"]:
    """The number of each point's voxel; points outside the cube belong to its border."""
    scaled = np.floor((points + REACH) * np.float32(voxels / (2 * REACH)))
    places = np.clip(scaled, 0, voxels - 1).astype(np.int64)
    return (places[:, 0] * voxels + places[:, 1]) * voxels + places[:, 2]
