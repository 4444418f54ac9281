"""LAS and LAZ, the files of aerial scanners, through laspy (the extra `lidar`).

The decompressor of LAZ is native code that takes memory for whatever a file promises and ends the
process where there is none: it runs in another one. The header is held against the file's size here
first.
"""

from __future__ import annotations

import struct
from pathlib import Path

from data.cloud_columns import class_numbers, colour_bytes
from data.clouds import PointCloud
from data.errors import UserError
from data.las_points import las_columns
from data.laz_process import laz_columns

_HEADER_BYTES = 227
_LEAST_POINT = {0: 20, 1: 28, 2: 26, 3: 34, 4: 57, 5: 63, 6: 30, 7: 36, 8: 38, 9: 59, 10: 67}
"""Bytes of a point by its format."""
_PACKED_RATIO = 100
"""No real LAZ holds more bytes of points than this in a byte of the file."""


def read(path: Path) -> PointCloud:
    """The points with colours and classes; UserError for a file that is spoilt, or no LAS."""
    count, packed = _checked(path)
    try:
        import laspy  # noqa: F401 whether it is there, before another process is started
    except ImportError:
        raise UserError(
            f"{path}: expected the package laspy, which reads LAS and LAZ, found it missing; pip"
            " install 'darb3d[lidar]'"
        ) from None
    try:
        columns = laz_columns(path) if packed else las_columns(path)
    except Exception as error:
        lost = "LazBackend" in str(error) and "not available" in str(error)
        remedy = "pip install 'darb3d[lidar]'" if lost else "write or download it again"
        raise UserError(
            f"{path}: expected a LAS or LAZ file, found a broken one ({error!s:.200}); {remedy}"
        ) from None
    xyz = columns["xyz"]
    if len(xyz) != count:
        raise UserError(
            f"{path}: expected {count} points, found {len(xyz)}; it is cut short, write or download"
            " it again"
        )
    rgb, labels = columns.get("rgb"), columns.get("classification")
    return PointCloud(
        xyz,
        colour_bytes(rgb) if rgb is not None and rgb.any() else None,
        labels=class_numbers(labels) if labels is not None and labels.any() else None,
    )


def _checked(path: Path) -> tuple[int, bool]:
    """Points that the header promises and whether they are packed; UserError where the file cannot
    hold them."""
    with open(path, "rb") as stream:
        head = stream.read(375)
    size = path.stat().st_size
    if head[:4] != b"LASF" or len(head) < _HEADER_BYTES:
        raise UserError(f"{path}: expected a LAS or LAZ file, found something else (no LAS header)")
    header_size, start, records, kind, point_bytes, count = struct.unpack_from("<HIIBHI", head, 94)
    if head[25] >= 4 and len(head) >= 255:  # LAS 1.4 counts in eight bytes
        (count,) = struct.unpack_from("<Q", head, 247)
    packed, kind = kind >= 64, kind & 63
    room = (size - start) * (_PACKED_RATIO if packed else 1)
    wrong = (
        kind not in _LEAST_POINT
        or point_bytes < _LEAST_POINT[kind]
        or not header_size <= start <= size
        or 54 * records > start - header_size
        or count * point_bytes > room
    )
    if wrong:
        raise UserError(
            f"{path}: expected {count} points of {point_bytes} bytes and format {kind} after byte"
            f" {start}, found a file of {size} bytes; it is cut short or spoilt, write or download"
            " it again"
        )
    if packed and count and not _has_chunks(path, start, size, count):
        raise UserError(
            f"{path}: expected a table of compressed parts, found none in its place; it is cut"
            " short or spoilt, write or download it again"
        )
    return count, packed


def _has_chunks(path: Path, start: int, size: int, count: int) -> bool:
    """Whether the table of a LAZ is where its first bytes say, and of a possible length: the
    decompressor takes memory for it first."""
    with open(path, "rb") as stream:
        stream.seek(start)
        (place,) = struct.unpack("<q", stream.read(8).ljust(8, b"\0"))
        if place == -1:  # written in one go: the place stands at the end
            stream.seek(size - 8)
            (place,) = struct.unpack("<q", stream.read(8))
        if not start + 8 <= place <= size - 8:
            return False
        stream.seek(place)
        version, chunks = struct.unpack("<II", stream.read(8))
    return version == 0 and 0 < chunks <= min(count, size)
