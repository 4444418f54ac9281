"""Binary glTF 2.0 as a container: a JSON document and one body of bytes."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data.errors import UserError

FLOAT, UNSIGNED_BYTE, UNSIGNED_SHORT, UNSIGNED_INT = 5126, 5121, 5123, 5125
ARRAY_BUFFER, INDEX_BUFFER = 34962, 34963
_DTYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_WIDTHS = {name: width for width, name in _TYPES.items()}


@dataclass(frozen=True)
class Glb:
    """What a file holds; trusted in nothing."""

    document: dict[str, Any]
    body: bytes

    def column(self, place: int) -> np.ndarray:
        """Accessor `place` as float64 (count, width); ValueError, KeyError, IndexError or TypeError
        for one that does not fit."""
        accessor = self.document["accessors"][place]
        view = self.document["bufferViews"][accessor["bufferView"]]
        dtype = np.dtype(_DTYPES[accessor["componentType"]])
        count, width = int(accessor["count"]), _WIDTHS[accessor["type"]]
        start = int(view.get("byteOffset", 0)) + int(accessor.get("byteOffset", 0))
        row = width * dtype.itemsize
        stride = int(view.get("byteStride", row))
        if count < 1 or start < 0 or stride < row:
            raise ValueError(f"accessor {place} of {count} numbers from {start} on")
        if start + (count - 1) * stride + row > len(self.body):
            raise ValueError(f"accessor {place} beyond the end of the file")
        rows = np.ndarray((count, width), dtype, self.body, start, (stride, dtype.itemsize))
        scale = np.iinfo(dtype).max if dtype.kind in "iu" and accessor.get("normalized") else 1
        return np.maximum(rows.astype(np.float64) / scale, -np.inf if scale == 1 else -1.0)


def unpack(content: bytes) -> Glb:
    """The two parts of a .glb; UserError for another kind of file, ValueError or struct.error for
    one that is cut short."""
    magic, version, _ = struct.unpack_from("<4sII", content)
    if magic != b"glTF" or version != 2:
        raise UserError("expected a binary glTF 2.0 file (.glb), found something else")
    size, kind = struct.unpack_from("<I4s", content, 12)
    if kind != b"JSON":
        raise ValueError("no JSON at its head")
    document = json.loads(content[20 : 20 + size])
    length, kind = struct.unpack_from("<I4s", content, 20 + size)
    if kind != b"BIN\0":
        raise ValueError("no binary part")
    return Glb(document, content[28 + size : 28 + size + length])


def pack(document: dict[str, Any], body: bytes) -> bytes:
    """The file that holds both."""
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    body += b"\0" * (-len(body) % 4)
    whole = struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(body))
    whole += struct.pack("<I4s", len(text), b"JSON") + text
    return whole + struct.pack("<I4s", len(body), b"BIN\0") + body


@dataclass
class Body:
    """Arrays one after another, with the accessors that find them again."""

    parts: list[bytes] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)
    size: int = 0

    def add(
        self,
        array: np.ndarray,
        kind: int = FLOAT,
        target: int | None = None,
        bounds: bool = False,
        **more: Any,
    ) -> int:
        """Append (count, width) or (count,) numbers; the place of their accessor."""
        rows = np.ascontiguousarray(array, _DTYPES[kind])
        rows = rows.reshape(len(rows), -1)
        content = rows.tobytes()
        view: dict[str, Any] = {
            "buffer": 0,
            "byteOffset": self.size,
            "byteLength": len(content),
        }
        self.views.append(view if target is None else view | {"target": target})
        accessor: dict[str, Any] = {
            "bufferView": len(self.views) - 1,
            "componentType": kind,
            "count": len(rows),
            "type": _TYPES[rows.shape[1]],
        }
        if bounds:
            low, high = rows.min(axis=0).tolist(), rows.max(axis=0).tolist()
            accessor |= {"min": low, "max": high}
        self.accessors.append(accessor | more)
        content += b"\0" * (-len(content) % 4)
        self.parts.append(content)
        self.size += len(content)
        return len(self.accessors) - 1

    def described(self) -> dict[str, Any]:
        """What the document says of these arrays."""
        return {
            "buffers": [{"byteLength": self.size}],
            "bufferViews": self.views,
            "accessors": self.accessors,
        }
