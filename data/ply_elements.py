"""The rows of a PLY file of several elements: vertices, and the polygons of a mesh as triangles.

plyfile reads such files too, but takes memory for whatever length a list says it has, and seconds
for a million faces.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from data.errors import UserError
from data.fans import Fans, fans
from data.ply_header import Element, Header, Property

Columns = dict[str, np.ndarray]
TRIANGLES = "triangles"
"""Name of the column that stands for lists of corners."""
_CORNERS = ("vertex_indices", "vertex_index")


def read_elements(path: Path, header: Header) -> dict[str, Columns]:
    """Columns of single values by element and property; polygons are cut into `triangles`, (m, 3).

    Elements behind the vertices and faces are not read. UserError for a broken file.
    """
    found: dict[str, Columns] = {}
    try:
        with open(path, "rb") as stream:
            stream.seek(header.start)
            content = b"" if header.text else stream.read()
            place = 0
            for element in header.elements:
                if found.keys() >= {"vertex", "face"} or not _more(header, found):
                    break
                if header.text:
                    found[element.name] = _from_text(stream, element)
                else:
                    found[element.name], place = _from_bytes(content, place, element)
    except (ValueError, IndexError, OSError) as error:
        raise UserError(
            f"{path}: expected a complete PLY file, found a broken one ({error}); write or download"
            " it again"
        ) from None
    return found


def _more(header: Header, found: dict[str, Columns]) -> bool:
    """Whether what is wanted still comes."""
    return any(e.name in ("vertex", "face") and e.name not in found for e in header.elements)


def _from_bytes(content: bytes, place: int, element: Element) -> tuple[Columns, int]:
    """The element that begins at `place`, and where it ends."""
    if not element.count:
        return _empty(element), place
    lengths = _first_lengths(content, place, element)
    layout = []
    for p in element.properties:
        if p.count_dtype is not None:
            layout += [(f"count of {p.name}", p.count_dtype), (p.name, p.dtype, (lengths[p.name],))]
        else:
            layout.append((p.name, p.dtype))
    dtype = np.dtype(layout)
    end = place + dtype.itemsize * element.count
    if end <= len(content):
        rows = np.frombuffer(content, dtype, element.count, place)
        if all((rows[f"count of {name}"] == k).all() for name, k in lengths.items()):
            columns: Columns = {
                p.name: rows[p.name] for p in element.properties if p.count_dtype is None
            }
            for name in _CORNERS:
                if name in lengths:
                    columns[TRIANGLES] = fans(rows[name])
            return columns, end
    if element.scalar:
        raise ValueError(f"{element.name} ends early")
    return _walk(content, place, element)


def _first_lengths(content: bytes, place: int, element: Element) -> dict[str, int]:
    """Lengths of the lists in the first row: those of all rows, in most files."""
    lengths = {}
    for p in element.properties:
        if p.count_dtype is not None:
            lengths[p.name] = _length(content, place, p)
            place += p.count_dtype.itemsize + lengths[p.name] * p.dtype.itemsize
        else:
            place += p.dtype.itemsize
    return lengths


def _length(content: bytes, place: int, p: Property) -> int:
    """Of the list at `place`; ValueError where the file ends before the list does."""
    assert p.count_dtype is not None
    begin = place + p.count_dtype.itemsize
    length = int(np.frombuffer(content[place:begin], p.count_dtype, 1)[0])
    if not 0 <= length * p.dtype.itemsize <= len(content) - begin:
        raise ValueError(f"a list of {length}")
    return length


def _walk(content: bytes, place: int, element: Element) -> tuple[Columns, int]:
    """Row by row, where lists differ in length; single values beside the lists are left aside."""
    triangles = Fans()
    for _ in range(element.count):
        for p in element.properties:
            if p.count_dtype is None:
                place += p.dtype.itemsize
                continue
            length = _length(content, place, p)
            place += p.count_dtype.itemsize
            end = place + length * p.dtype.itemsize
            if p.name in _CORNERS:
                triangles.add(np.frombuffer(content[place:end], p.dtype).tolist())
            place = end
        if place > len(content):
            raise ValueError(f"{element.name} ends early")
    return {TRIANGLES: triangles.array()}, place


def _from_text(stream: IO[bytes], element: Element) -> Columns:
    """The element at the stream's place; the stream is behind it then."""
    if not element.count:
        return _empty(element)
    if element.scalar:
        rows = np.loadtxt(_lines(stream, element), ndmin=2, comments=None)
        if rows.shape[1] != len(element.properties):
            raise ValueError(f"{rows.shape[1]} values in a row of {element.name}")
        return {p.name: _cast(rows[:, k], p.dtype) for k, p in enumerate(element.properties)}
    triangles = Fans()
    if len(element.properties) == 1 and element.properties[0].name in _CORNERS:
        triangles.add_lines(_lines(stream, element))
        return {TRIANGLES: triangles.array()}
    for line in _lines(stream, element):
        words, place = line.split(), 0
        for p in element.properties:
            length = 1
            if p.count_dtype is not None:
                length, place = int(words[place]), place + 1
                if not 0 <= length <= len(words) - place:
                    raise ValueError(f"a list of {length}")
                if p.name in _CORNERS:
                    triangles.add([int(word) for word in words[place : place + length]])
            place += length
    return {TRIANGLES: triangles.array()}


def _lines(stream: IO[bytes], element: Element) -> Iterator[str]:
    """The rows of an element, blank lines left out."""
    for _ in range(element.count):
        line = stream.readline()
        while line and not line.strip():
            line = stream.readline()
        if not line:
            raise ValueError(f"{element.name} ends early")
        yield line.decode("latin-1")


def _cast(column: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Numbers as their property says, whatever the text held."""
    if dtype.kind == "f":
        return column.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.nan_to_num(column), limits.min, limits.max).astype(dtype)


def _empty(element: Element) -> Columns:
    columns: Columns = {
        p.name: np.empty(0, p.dtype) for p in element.properties if p.count_dtype is None
    }
    if any(p.name in _CORNERS for p in element.properties):
        columns[TRIANGLES] = np.empty((0, 3), np.int32)
    return columns
