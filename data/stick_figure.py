"""A figure of bones and joints for a rig at rest, so that programs have something to show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from data.rig import Rig
from data.skeleton import side

_SIDES_RGB = {-1: (0.94, 0.47, 0.18), 0: (0.85, 0.87, 0.90), 1: (0.24, 0.56, 0.95)}
"""sRGB of what is left, in the middle and right."""
_GOLDEN = (1 + 5**0.5) / 2


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles whose corners each follow one node."""

    xyz: Float32[np.ndarray, "v 3"]
    normals: Float32[np.ndarray, "v 3"]
    rgb: Float32[np.ndarray, "v 3"]
    """Linear, as glTF wants colours of corners."""
    nodes: Int64[np.ndarray, "v"]
    """The node that each corner follows."""
    corners: Int64[np.ndarray, "f 3"]


def stick_figure(rig: Rig) -> Mesh:
    """A slim octahedron for each bone and a small ball for each joint, coloured by side."""
    xyz = _rest(rig)
    size = max(float(np.linalg.norm(np.ptp(xyz, axis=0))), 1e-6)
    ball, faces = icosphere()
    shapes = []
    for node, name in enumerate(rig.names):
        rgb, parent = _SIDES_RGB[side(name.rpartition("__")[2])], int(rig.parents[node])
        length = float(np.linalg.norm(rig.offsets[node]))
        if parent >= 0 and length > 1e-6 * size:
            width = min(0.18 * length, 0.014 * size)
            shapes.append((*_octahedron(xyz[parent], xyz[node], width), rgb, parent))
        if parent < 0 or length > 1e-6 * size:
            points = xyz[node] + 0.010 * size * ball
            shapes.append((points, ball, faces, rgb, node))
    start, parts = 0, []
    for points, normals, corners, rgb, node in shapes:
        colours = np.tile(np.power(rgb, 2.2), (len(points), 1))
        parts.append((points, normals, colours, np.full(len(points), node), corners + start))
        start += len(points)
    points, normals, colours, nodes, corners = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    single = np.float32
    return Mesh(
        points.astype(single), normals.astype(single), colours.astype(single), nodes, corners
    )


def icosphere(rounds: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Corners (v, 3) on the unit sphere and triangles (f, 3) of an icosahedron, each split in four
    `rounds` times."""
    rows = [(0, a, b * _GOLDEN) for a in (-1, 1) for b in (-1, 1)]
    points = np.array([np.roll(row, turn) for turn in range(3) for row in rows], np.float64)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    near = np.isclose(apart, 2.0)
    faces = [
        (a, b, c)
        for a in range(12)
        for b in range(a + 1, 12)
        for c in range(b + 1, 12)
        if near[a, b] and near[b, c] and near[a, c]
    ]
    points /= np.linalg.norm(points[0])
    corners = np.array(
        [f if np.linalg.det(points[list(f)]) > 0 else (f[0], f[2], f[1]) for f in faces]
    )
    for _ in range(rounds):
        points, corners = _split(points, corners)
    return points, corners


def _split(points: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    edges = np.sort(corners[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    pairs, place = np.unique(edges, axis=0, return_inverse=True)
    middle = points[pairs].sum(axis=1)
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    m = place.reshape(-1, 3) + len(points)
    a, b, c = corners.T
    ab, bc, ca = m.T
    parts = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    return np.concatenate([points, middle]), np.concatenate([np.stack(p, 1) for p in parts])


def _rest(rig: Rig) -> np.ndarray:
    """Places of the nodes at rest."""
    xyz = rig.offsets.copy()
    for node, parent in enumerate(rig.parents):
        if parent >= 0:
            xyz[node] += xyz[parent]
    return xyz


def _octahedron(
    start: np.ndarray, end: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corners, normals and triangles of a bone, thickest near its start; faces are flat."""
    along = (end - start) / np.linalg.norm(end - start)
    across = np.cross(along, np.eye(3)[np.argmin(np.abs(along))])
    across /= np.linalg.norm(across)
    third = np.cross(along, across)
    middle = start + 0.15 * (end - start)
    ring = [middle + width * way for way in (across, third, -across, -third)]
    faces = []
    for k in range(4):
        faces += [(start, ring[(k + 1) % 4], ring[k]), (end, ring[k], ring[(k + 1) % 4])]
    points = np.array(faces)
    normals = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return points.reshape(-1, 3), np.repeat(normals, 3, axis=0), np.arange(24).reshape(-1, 3)
