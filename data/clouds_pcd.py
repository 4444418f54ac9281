"""PCD, the Point Cloud Library's files: text, binary and compressed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.cloud_columns import by_name
from data.clouds import PointCloud
from data.errors import UserError
from data.lzf import decompress

_LONGEST_HEADER = 1 << 16
_MOST_FIELDS = 1000
Header = dict[str, list[str]]


def read(path: Path) -> PointCloud:
    """The points; UserError for a file that is no PCD, or is cut short."""
    content = path.read_bytes()
    try:
        header, start = _header(content)
        layout, count = _layout(header, len(content))
        match header["DATA"]:
            case ["ascii"]:
                columns = _from_text(content[start:], layout, count)
            case ["binary"]:
                columns = _from_rows(content[start:], layout, count)
            case ["binary_compressed"]:
                columns = _from_columns(content[start:], layout, count)
            case other:
                raise ValueError(f"data of the kind {' '.join(other)!r:.40}")
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise UserError(
            f"{path}: expected a PCD file, found a broken or foreign one ({error}); write or"
            " download it again"
        ) from None
    return by_name(_with_colours(columns), path)


def _header(content: bytes) -> tuple[Header, int]:
    """Words by the word they follow, and where the data begin."""
    header: Header = {}
    place = 0
    while "DATA" not in header:
        end = content.find(b"\n", place, _LONGEST_HEADER)
        if end < 0:
            raise ValueError("no line DATA in its header")
        words = content[place:end].decode("latin-1").split()
        if words and not words[0].startswith("#"):
            header[words[0]] = words[1:]
        place = end + 1
    return header, place


def _layout(header: Header, size: int) -> tuple[np.dtype, int]:
    """How a point is stored, and how many there are."""
    names, sizes, types = (header[word] for word in ("FIELDS", "SIZE", "TYPE"))
    counts = header.get("COUNT", ["1"] * len(names))
    if not len(names) == len(sizes) == len(types) == len(counts) <= _MOST_FIELDS:
        raise ValueError("as many of FIELDS, SIZE, TYPE and COUNT as there are not")
    fields = []
    for k, (name, length, kind, times) in enumerate(zip(names, sizes, types, counts, strict=True)):
        dtype = np.dtype("<" + {"F": "f", "I": "i", "U": "u"}[kind] + str(int(length)))
        if not 0 < int(times) <= size:
            raise ValueError(f"a COUNT of {times:.40}")
        # fields of padding may all be called _
        fields.append(
            (name if name not in [f[0] for f in fields] else f"{name} {k}", dtype, int(times))
        )
    layout = np.dtype([(name, dtype, (times,)) for name, dtype, times in fields])
    count = int(header["POINTS"][0]) if "POINTS" in header else _area(header)
    if not 0 <= count <= size:
        raise ValueError(f"{count:.40g} points in {size} bytes")
    return layout, count


def _area(header: Header) -> int:
    return int(header["WIDTH"][0]) * int(header["HEIGHT"][0])


def _from_text(content: bytes, layout: np.dtype, count: int) -> dict[str, np.ndarray]:
    lines = [line for line in content.splitlines() if line.strip()][:count]
    if not lines:
        raise ValueError("no rows")
    rows = np.loadtxt(lines, ndmin=2, comments=None)
    wide = sum(layout[name].shape[0] for name in layout.names or ())
    if rows.shape != (count, wide):
        raise ValueError(f"{len(rows)} rows of {rows.shape[1]} numbers for {count} of {wide}")
    columns, place = {}, 0
    for name in layout.names or ():
        column = rows[:, place]
        # a packed colour is written as the number its bytes are
        columns[name] = column if name != "rgb" else column.astype(layout[name].base)
        place += layout[name].shape[0]
    return columns


def _from_rows(content: bytes, layout: np.dtype, count: int) -> dict[str, np.ndarray]:
    if layout.itemsize * count > len(content):
        raise ValueError(f"{len(content)} bytes for {count} points of {layout.itemsize}")
    rows = np.frombuffer(content, layout, count)
    return {name: rows[name][:, 0] for name in layout.names or ()}


def _from_columns(content: bytes, layout: np.dtype, count: int) -> dict[str, np.ndarray]:
    packed, whole = (int.from_bytes(content[k : k + 4], "little") for k in (0, 4))
    if whole != layout.itemsize * count:
        raise ValueError(f"{whole} unpacked bytes for {count} points of {layout.itemsize}")
    if packed > len(content) - 8:
        raise ValueError(f"{len(content) - 8} of {packed} packed bytes")
    unpacked = decompress(content[8 : 8 + packed], whole)
    columns, place = {}, 0
    for name in layout.names or ():
        dtype, times = layout[name].base, layout[name].shape[0]
        values = np.frombuffer(unpacked, dtype, count * times, place)
        columns[name] = values.reshape(count, times)[:, 0] if count else values
        place += values.nbytes
    return columns


def _with_colours(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Colours that are packed into four bytes, apart."""
    packed = columns.get("rgb", columns.get("rgba"))
    if packed is None or packed.dtype.itemsize != 4:
        return columns
    bytes_of = np.ascontiguousarray(packed).view(np.uint8).reshape(-1, 4)
    apart = {name: bytes_of[:, 2 - k] for k, name in enumerate(("red", "green", "blue"))}
    return {**columns, **apart}
