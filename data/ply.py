"""The vertices of a PLY file, by property name; the one place that uses plyfile."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from data.errors import UserError
from data.ply_elements import read_elements
from data.ply_header import read_header
from data.whole_files import replacing

_BLOCK = 4096
"""Rows that stay in the cache while their fields are copied."""


def read_vertices(path: str | Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The scalar vertex properties of a PLY file (name -> n values) and its header comments.

    Values come as stored, NaN included. Raises `UserError` for a missing, foreign or broken file.
    """
    rows, comments = read_rows(path)
    names = rows.dtype.names or ()
    return {name: rows[name] for name in names if not rows.dtype[name].hasobject}, comments


def read_rows(path: str | Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """The vertices of a PLY file as records, lists as objects, and its header comments.

    Raises `UserError` for a missing, foreign or broken file.
    """
    path = Path(path)
    header = read_header(path)
    if len(header.elements) > 1:
        # plyfile reads every element, and believes whatever length a list says it has
        return _records(read_elements(path, header)["vertex"]), header.comments
    import plyfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of an empty list, refused a line on
            file = plyfile.PlyData.read(str(path))
        rows = np.asarray(file["vertex"].data)
        if not rows.dtype.hasobject:
            # a copy of what plyfile maps, under which the file may change; as bytes, because numpy
            # copies records field by field
            rows = np.frombuffer(rows.tobytes(), rows.dtype)
    except (plyfile.PlyParseError, ValueError, KeyError, OSError, MemoryError) as error:
        raise UserError(
            f"{path}: expected a complete PLY file, found a broken one ({error}); write or "
            "download it again"
        ) from None
    return rows, tuple(file.comments)


def _records(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Columns of one length side by side."""
    count = max((len(column) for column in columns.values()), default=0)
    rows = np.empty(count, [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        rows[name] = column
    return rows


def write_vertices(
    path: str | Path, columns: Mapping[str, np.ndarray], comments: Sequence[str] = ()
) -> None:
    """Write a binary little-endian PLY whose one element is `vertex` with these properties.

    The file appears complete or not at all: it is written beside `path`, flushed to the disk and
    then renamed.
    """
    import plyfile

    path = Path(path)
    count = {len(column) for column in columns.values()}
    if len(count) != 1:
        raise ValueError(f"expected columns of one length, got {sorted(count)}")
    layout = [
        (name, np.asarray(column).dtype.newbyteorder("<")) for name, column in columns.items()
    ]
    rows = np.empty(count.pop(), layout)
    for start in range(0, len(rows), _BLOCK):
        for name, column in columns.items():
            rows[name][start : start + _BLOCK] = column[start : start + _BLOCK]
    element = plyfile.PlyElement.describe(rows, "vertex")
    file = plyfile.PlyData([element], byte_order="<", comments=list(comments))
    with replacing(path) as draft, open(draft, "wb") as stream:
        file.write(stream)
