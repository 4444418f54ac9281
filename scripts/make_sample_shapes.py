"""Make the meshes in data/samples/shapes: furniture of boxes and a few turned pieces, z up.

    python scripts/make_sample_shapes.py

Ours from the first vertex on, so anyone may have them; `darb3d classify data/samples/shapes` names
them, each in the file format of another program.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[1] / "data" / "samples" / "shapes"
Mesh = tuple[np.ndarray, np.ndarray]
"""Vertices (v, 3) and triangles (t, 3)."""
_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_SIDES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
_AROUND = 32
"""Corners of a turned piece."""


def box(centre: tuple[float, float, float], size: tuple[float, float, float]) -> Mesh:
    """Axis-parallel."""
    faces = [(a, b, c) for a, b, c, _ in _SIDES] + [(a, c, d) for a, _, c, d in _SIDES]
    return _CORNERS * size + centre, np.array(faces)


def turned(profile: list[tuple[float, float]]) -> Mesh:
    """A profile of (radius, height) around z."""
    angles = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
    rings = [
        np.stack([r * np.cos(angles), r * np.sin(angles), np.full(_AROUND, h)], 1)
        for r, h in profile
    ]
    faces = []
    for ring in range(len(profile) - 1):
        for k in range(_AROUND):
            a, b = ring * _AROUND + k, ring * _AROUND + (k + 1) % _AROUND
            faces += [(a, b, b + _AROUND), (a, b + _AROUND, a + _AROUND)]
    return np.concatenate(rings), np.array(faces)


def joined(*parts: Mesh) -> Mesh:
    """All as one."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    faces = [faces + start for (_, faces), start in zip(parts, starts, strict=False)]
    return np.concatenate([vertices for vertices, _ in parts]), np.concatenate(faces)


def legs(half_x: float, half_y: float, height: float, thick: float) -> list[Mesh]:
    """Four, from the ground up to `height`."""
    places = [(x, y) for x in (-half_x, half_x) for y in (-half_y, half_y)]
    return [box((x, y, height / 2), (thick, thick, height)) for x, y in places]


def shapes() -> dict[str, Mesh]:
    """File names and meshes."""
    chair = joined(
        *legs(0.2, 0.2, 0.45, 0.04),
        box((0, 0, 0.47), (0.46, 0.46, 0.05)),
        box((0, 0.21, 0.75), (0.44, 0.04, 0.5)),
    )
    table = joined(*legs(0.5, 0.5, 0.7, 0.06), box((0, 0, 0.72), (1.2, 1.2, 0.04)))
    plane = joined(
        _along_y(turned([(0.0, -1.0), (0.1, -0.8), (0.12, 0.4), (0.08, 0.9), (0.0, 1.0)])),
        box((0, -0.1, 0), (2.0, 0.3, 0.03)),
        box((0, 0.85, 0.05), (0.7, 0.2, 0.02)),
        box((0, 0.85, 0.2), (0.02, 0.2, 0.3)),
    )
    bottle = turned(
        [(0.0, 0.0), (0.3, 0.0), (0.3, 1.0), (0.25, 1.2), (0.1, 1.4), (0.1, 1.7), (0.0, 1.7)]
    )
    return {
        "airplane.stl": plane,
        "bottle.off": bottle,
        "chair.obj": chair,
        "cone.ply": turned([(0.0, 0.0), (0.5, 0.0), (0.0, 1.2)]),
        "table.obj": table,
    }


def _along_y(mesh: Mesh) -> Mesh:
    vertices, faces = mesh
    return vertices[:, [0, 2, 1]] * (1, 1, -1), faces


def write(path: Path, mesh: Mesh) -> None:
    """In the format of the ending."""
    vertices, faces = mesh
    if path.suffix == ".stl":
        header = b"airplane of boxes and a turned hull".ljust(80) + struct.pack("<I", len(faces))
        records = np.zeros(len(faces), np.dtype([("m", "<f4", (4, 3)), ("attribute", "<u2")]))
        records["m"][:, 1:] = vertices[faces]
        path.write_bytes(header + records.tobytes())
        return
    corners = [" ".join(f"{x:.4g}" for x in vertex) for vertex in vertices]
    if path.suffix == ".obj":
        lines = [f"v {corner}" for corner in corners]
        lines += ["f " + " ".join(str(k + 1) for k in face) for face in faces]
    else:
        heads = {
            ".off": ["OFF", f"{len(vertices)} {len(faces)} 0"],
            ".ply": [
                *("ply", "format ascii 1.0", f"element vertex {len(vertices)}"),
                *(f"property float {axis}" for axis in "xyz"),
                *(f"element face {len(faces)}", "property list uchar int vertex_indices"),
                "end_header",
            ],
        }
        lines = [*heads[path.suffix], *corners]
        lines += ["3 " + " ".join(map(str, face)) for face in faces]
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, made in shapes().items():
        write(FOLDER / name, made)
