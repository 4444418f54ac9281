"""What the header of a PLY file promises, held against the file's size before memory is taken."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.errors import UserError

_LONGEST = 1 << 16
"""Bytes in which a header has to end."""
_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
_FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass(frozen=True)
class Property:
    """One value of each row, or a list of them."""

    name: str
    dtype: np.dtype
    count_dtype: np.dtype | None = None
    """Of the number before a list; None for a single value."""


@dataclass(frozen=True)
class Element:
    """Rows of one kind."""

    name: str
    count: int
    properties: tuple[Property, ...]

    @property
    def scalar(self) -> bool:
        """Whether all rows are of one size."""
        return all(p.count_dtype is None for p in self.properties)

    @property
    def dtype(self) -> np.dtype:
        """Of a row without lists."""
        return np.dtype([(p.name, p.dtype) for p in self.properties])

    def least_bytes(self, text: bool) -> int:
        """Of all rows, if every list is empty and every number of a text one digit."""
        if text:
            return 2 * len(self.properties) * self.count
        return self.count * sum((p.count_dtype or p.dtype).itemsize for p in self.properties)


@dataclass(frozen=True)
class Header:
    """Where the rows begin, and what they are."""

    text: bool
    elements: tuple[Element, ...]
    start: int
    """Bytes before the first row."""
    size: int
    """Bytes of the file."""
    comments: tuple[str, ...]

    def element(self, name: str) -> Element | None:
        """The element of that name, if there is one."""
        return next((e for e in self.elements if e.name == name), None)


def read_header(path: Path) -> Header:
    """The header; UserError for what is no PLY, has no vertices, or is too short for its rows."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(_LONGEST)
            size = os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise UserError(f"{path}: expected a PLY file, found: {error.strerror}") from None
    end = re.search(rb"(?:^|\n)end_header[ \t]*\r?\n", head)
    if not re.match(rb"ply\s*?\r?\n", head) or end is None:
        raise UserError(f"{path}: expected a PLY file, found something else (no PLY header)")
    lines = head[: end.start()].decode("latin-1").splitlines()[1:]
    try:
        byte_order, elements = _parsed(lines)
    except (ValueError, KeyError, IndexError) as error:
        raise UserError(
            f"{path}: expected a PLY header, found a broken one ({error}); write or download it"
            " again"
        ) from None
    words = (line.split(None, 1) for line in lines)
    comments = tuple(
        " ".join(rest).strip() for word, *rest in filter(None, words) if word == "comment"
    )
    header = Header(byte_order == "", elements, end.end(), size, comments)
    if header.element("vertex") is None:
        raise UserError(f"{path}: expected a PLY file with vertices, found no element `vertex`")
    for element in elements:
        if element.count > size or element.least_bytes(header.text) > size:
            kind = "vertices" if element.name == "vertex" else f"rows of {element.name}"
            raise UserError(
                f"{path}: expected {element.count} {kind}, found a file of {size} bytes; it is cut"
                " short, write or download it again"
            )
    return header


def _parsed(lines: list[str]) -> tuple[str, tuple[Element, ...]]:
    """The byte order, empty for text, and the elements."""
    byte_order = None
    elements: list[tuple[str, int, list[Property]]] = []
    for line in lines:
        words = line.split()
        match words[:1]:
            case ["format"]:
                byte_order = _FORMATS[words[1]]
            case ["element"]:
                elements.append((words[1], _count(words[2]), []))
            case ["property"]:
                elements[-1][2].append(_property(words[1:], byte_order or "="))
    if byte_order is None:
        raise ValueError("no format")
    for name, _, properties in elements:
        if len({p.name for p in properties}) < len(properties):
            raise ValueError(f"two properties of {name} of one name")
    return byte_order, tuple(Element(name, count, tuple(p)) for name, count, p in elements)


def _count(word: str) -> int:
    if not re.fullmatch(r"\d{1,18}", word):
        raise ValueError(f"{word:.40} rows")
    return int(word)


def _property(words: list[str], byte_order: str) -> Property:
    if words[0] == "list":
        counts = np.dtype(byte_order + _TYPES[words[1]])
        return Property(words[3], np.dtype(byte_order + _TYPES[words[2]]), counts)
    return Property(words[1], np.dtype(byte_order + _TYPES[words[0]]))
