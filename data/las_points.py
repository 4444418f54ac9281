"""The points of a LAS or LAZ file whose header has been checked, as columns, by laspy."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

_PIECE = 1_000_000
"""Points that are read at a time: the file's other dimensions are let go of."""


def las_columns(path: str | Path) -> dict[str, np.ndarray]:
    """`xyz` (n, 3), `classification` (n,) and, where there are colours, `rgb` (n, 3) in 16 bits.

    Whatever laspy and its decompressor raise goes through.
    """
    import laspy

    logging.getLogger("laspy").setLevel(logging.CRITICAL)  # what it logs, it raises too
    # the parallel decompressor sizes its buffers by a table that nothing checks
    backend = laspy.LazBackend.Lazrs
    pieces = []
    options: dict[str, Any] = {"laz_backend": backend, "read_evlrs": False}
    with laspy.open(str(path), **options) as reader:
        names = set(reader.header.point_format.dimension_names)
        for points in reader.chunk_iterator(_PIECE):
            piece = {"xyz": np.stack([points.x, points.y, points.z], 1).astype(np.float64)}
            if {"red", "green", "blue"} <= names:
                colours = [np.array(points[name]) for name in ("red", "green", "blue")]
                piece["rgb"] = np.stack(colours, 1)
            piece["classification"] = np.array(points["classification"])
            pieces.append(piece)
    if not pieces:
        return {"xyz": np.empty((0, 3))}
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
