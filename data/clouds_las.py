"""LAS and LAZ, the files of aerial scanners, through laspy (the extra `lidar`).

The decompressor of LAZ is native code that takes memory for whatever the header promises, so the
header is held against the file's size here first, and the points come in pieces.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from data.cloud_columns import class_numbers, colour_bytes
from data.clouds import PointCloud
from data.errors import UserError

_HEADER_BYTES = 227
_LEAST_POINT = {0: 20, 1: 28, 2: 26, 3: 34, 4: 57, 5: 63, 6: 30, 7: 36, 8: 38, 9: 59, 10: 67}
"""Bytes of a point by its format."""
_PACKED_RATIO = 100
"""No real LAZ holds more bytes of points than this in a byte of the file."""
_PIECE = 1_000_000


def read(path: Path) -> PointCloud:
    """The points with colours and classes; UserError for a file that is spoilt, or no LAS."""
    count = _checked_count(path)
    try:
        import laspy
    except ImportError:
        raise UserError(
            f"{path}: expected the package laspy, which reads LAS and LAZ, found it missing; pip"
            " install 'darb3d[lidar]'"
        ) from None
    try:
        pieces = _pieces(laspy, path)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the decompressor is no Exception
        if isinstance(error, laspy.errors.LazError) and "not available" in str(error):
            error = "no decompressor: pip install 'darb3d[lidar]'"
        raise UserError(
            f"{path}: expected a LAS or LAZ file, found a broken one ({error!s:.200}); write or"
            " download it again"
        ) from None
    columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    xyz = columns["xyz"]
    if len(xyz) != count:
        raise UserError(
            f"{path}: expected {count} points, found {len(xyz)}; it is cut short, write or download"
            " it again"
        )
    rgb, labels = columns.get("rgb"), columns.get("classification")
    coloured = rgb is not None and rgb.any()
    return PointCloud(
        xyz,
        colour_bytes(rgb) if coloured else None,  # pyright: ignore[reportArgumentType]
        labels=class_numbers(labels) if labels is not None and labels.any() else None,
    )


def _pieces(laspy: Any, path: Path) -> list[dict[str, np.ndarray]]:
    """Columns of a million points after the other; at least one piece."""
    import logging

    logging.getLogger("laspy").setLevel(logging.CRITICAL)  # what it logs, it raises too
    # the parallel decompressor sizes its buffers by a table that nothing checks
    backend = laspy.LazBackend.Lazrs
    with laspy.open(str(path), laz_backend=backend, read_evlrs=False) as reader:
        names = set(reader.header.point_format.dimension_names)
        pieces = []
        for points in reader.chunk_iterator(_PIECE):
            piece = {"xyz": np.stack([points.x, points.y, points.z], 1).astype(np.float64)}
            if {"red", "green", "blue"} <= names:
                colours = [np.array(points[name]) for name in ("red", "green", "blue")]
                piece["rgb"] = np.stack(colours, 1)
            piece["classification"] = np.array(points["classification"])
            pieces.append(piece)
    return pieces or [{"xyz": np.empty((0, 3))}]


def _checked_count(path: Path) -> int:
    """Points that the header promises; UserError where the file cannot hold them."""
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
    return count
