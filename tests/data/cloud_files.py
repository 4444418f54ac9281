"""Small files of every kind of cloud and mesh, as other programs write them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data import ply

XYZ = np.random.default_rng(0).uniform(-1, 1, (60, 3)).astype(np.float32).astype(np.float64)
RGB = np.random.default_rng(1).integers(0, 256, (60, 3), np.uint8)
UNITS = XYZ / np.linalg.norm(XYZ, axis=1, keepdims=True)

CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
QUADS = np.array(
    [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
)
TRIANGLES = np.concatenate([QUADS[:, [0, 1, 2]], QUADS[:, [0, 2, 3]]])


def ply_cloud(path: Path) -> None:
    columns = dict(zip("xyz", XYZ.T.astype(np.float32), strict=True))
    ply.write_vertices(path, columns | dict(zip(("red", "green", "blue"), RGB.T, strict=True)))


def ply_mesh(path: Path, text: bool = False, triangles: bool = True) -> None:
    """A cube with colours; `triangles` or quads and triangles mixed."""
    kind = "ascii" if text else "binary_little_endian"
    faces = TRIANGLES.tolist() if triangles else [*QUADS[1:].tolist(), *TRIANGLES[[0, 6]].tolist()]
    header = (
        f"ply\nformat {kind} 1.0\ncomment made here\nelement vertex 8\nproperty float x\n"
        "property float y\nproperty float z\nproperty uchar red\nproperty uchar green\n"
        f"property uchar blue\nelement face {len(faces)}\n"
        "property list uchar int vertex_indices\nproperty uchar flags\nend_header\n"
    )
    body = b""
    for x, y, z in CUBE:
        colour = int(255 * x), int(255 * y), int(255 * z)
        line = " ".join(map(str, (x, y, z, *colour))) + "\n"
        body += line.encode() if text else struct.pack("<fffBBB", x, y, z, *colour)
    for face in faces:
        line = " ".join(map(str, (len(face), *face, 7))) + "\n"
        packed = struct.pack(f"<B{len(face)}iB", len(face), *face, 7)
        body += line.encode() if text else packed
    path.write_bytes(header.encode() + body)


def pcd(path: Path, kind: str) -> None:
    packed = RGB.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    header = (
        "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F U\nCOUNT 1 1 1 1\n"
        f"WIDTH {len(XYZ)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(XYZ)}\nDATA {kind}\n"
    )
    rows = np.zeros(len(XYZ), [("xyz", "<f4", 3), ("rgb", "<u4")])
    rows["xyz"], rows["rgb"] = XYZ, packed
    if kind == "ascii":
        lines = (" ".join(map(repr, map(float, p))) for p in XYZ)
        body = "".join(f"{line} {c}\n" for line, c in zip(lines, packed, strict=True)).encode()
    elif kind == "binary":
        body = rows.tobytes()
    else:
        columns = b"".join(XYZ[:, k].astype("<f4").tobytes() for k in range(3)) + packed.tobytes()
        squeezed = as_lzf(columns)
        body = struct.pack("<II", len(squeezed), len(columns)) + squeezed
    path.write_bytes(header.encode() + body)


def as_lzf(content: bytes) -> bytes:
    """Packed with literals only, 32 bytes at a time, and each run of a byte as a reference."""
    out, place = bytearray(), 0
    while place < len(content):
        piece = content[place : place + 32]
        out += bytes([len(piece) - 1]) + piece
        place += len(piece)
        run = 0
        while run < 200 and content[place : place + 1] == content[place - 1 : place]:
            run, place = run + 1, place + 1
        if run >= 9:
            out += bytes([0b1110_0000, run - 9, 0])
        else:
            place -= run
    return bytes(out)


def kitti(path: Path) -> None:
    np.hstack([XYZ, np.ones((60, 1))]).astype("<f4").tofile(path)


def las(path: Path) -> None:
    laspy = pytest.importorskip("laspy", reason="the extra 'lidar' is not installed")
    if path.suffix == ".laz":
        pytest.importorskip("lazrs", reason="the extra 'lidar' is not installed")
    file = laspy.create(point_format=3, file_version="1.2")
    file.header.scales = [1e-7] * 3
    file.header.offsets = [0.5] * 3
    file.x, file.y, file.z = XYZ.T
    file.red, file.green, file.blue = RGB.T.astype(np.uint16) * 257
    file.classification = np.arange(60) % 7
    file.write(str(path))


def off(path: Path) -> None:
    lines = ["OFF # of ours", f"8 {len(QUADS)} 0"]
    lines += [" ".join(map(str, p)) for p in CUBE]
    path.write_text("\n".join([*lines, *(f"4 {' '.join(map(str, q))}" for q in QUADS)]) + "\n")


def obj(path: Path) -> None:
    lines = ["# of ours", "mtllib none.mtl", "o cube"]
    lines += ["v " + " ".join(map(str, p)) for p in CUBE]
    lines += ["vt 0 0", "vn 0 0 1"]
    lines += ["f " + " ".join(f"{k + 1}/1/1" for k in quad) for quad in QUADS[:4]]
    lines += ["f " + " ".join(f"{k - 8}" for k in quad) for quad in QUADS[4:]]
    path.write_text("\n".join(lines) + "\n")


def stl(path: Path, text: bool = False) -> None:
    corners = CUBE[TRIANGLES]
    if text:
        lines = ["solid cube"]
        for triangle in corners:
            lines += ["facet normal 0 0 0", "outer loop"]
            lines += [f"vertex {x} {y} {z}" for x, y, z in triangle]
            lines += ["endloop", "endfacet"]
        path.write_text("\n".join([*lines, "endsolid cube"]) + "\n")
        return
    rows = np.zeros(len(corners), [("n", "<f4", 3), ("c", "<f4", (3, 3)), ("a", "<u2")])
    rows["c"] = corners
    path.write_bytes(b"solid or not".ljust(80) + struct.pack("<I", len(rows)) + rows.tobytes())


def table(path: Path, *columns: np.ndarray, delimiter: str = " ", head: str = "") -> None:
    np.savetxt(path, np.hstack([XYZ, *columns]), "%.9g", delimiter, header=head, comments="")


CLOUDS: dict[str, Callable[[Path], None]] = {
    "a.ply": ply_cloud,
    "ascii.pcd": lambda path: pcd(path, "ascii"),
    "binary.pcd": lambda path: pcd(path, "binary"),
    "compressed.pcd": lambda path: pcd(path, "binary_compressed"),
    "a.las": las,
    "a.laz": las,
    "a.npy": lambda path: np.save(path, np.hstack([XYZ, RGB])),
    "a.npz": lambda path: np.savez(path, points=XYZ, colors=RGB / 255),
    "a.bin": kitti,
    "a.xyz": lambda path: table(path, RGB),
    "a.txt": lambda path: table(path, UNITS, delimiter=","),
    "a.pts": lambda path: table(path, np.zeros((60, 1)), RGB, head="60"),
    "a.asc": lambda path: table(path, RGB, head="//X Y Z R G B"),
    "a.xyzn": lambda path: table(path, UNITS),
    "a.xyzrgb": lambda path: table(path, RGB / 255),
}
"""Each holds XYZ."""
MESHES: dict[str, Callable[[Path], None]] = {
    "triangles.ply": ply_mesh,
    "mixed.ply": lambda path: ply_mesh(path, triangles=False),
    "text.ply": lambda path: ply_mesh(path, text=True, triangles=False),
    "a.off": off,
    "a.obj": obj,
    "binary.stl": stl,
    "text.stl": lambda path: stl(path, text=True),
}
"""Each holds the unit cube."""
TEXT = ("ascii.pcd", "a.xyz", "a.txt", "a.pts", "a.asc", "a.xyzn", "a.xyzrgb", "text.ply", "a.off",
        "a.obj", "text.stl")  # fmt: skip
