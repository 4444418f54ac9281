"""COLMAP's binary layout (https://colmap.github.io/format.html): little-endian records, checked
against the size of the file before anything is allocated."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

import numpy as np

from data.clouds import PointCloud
from data.errors import UserError
from data.lens_models import MODELS, NAME_OF_ID
from data.lenses import Lens
from data.sparse_model import Points, RegisteredImage, image, lens


class MappedFile:
    """A binary file, mapped; reading past its end is a `UserError`, never a crash."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = 0

    def __enter__(self) -> MappedFile:
        with open(self.path, "rb") as stream:
            empty = not stream.seek(0, 2)
            self.map = b"" if empty else mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        return self

    def __exit__(self, *_) -> None:
        if isinstance(self.map, mmap.mmap):
            self.map.close()

    def unpack(self, layout: struct.Struct) -> tuple:
        try:
            values = layout.unpack_from(self.map, self.position)
        except struct.error:
            raise self.cut_short() from None
        self.position += layout.size
        return values

    def count(self, least_bytes: int) -> int:
        """A number of records of at least `least_bytes` each, checked against what is left."""
        (count,) = self.unpack(_COUNT)
        if count * least_bytes > len(self.map) - self.position:
            raise self.cut_short(f" ({count} records announced)")
        return count

    def cut_short(self, detail: str = "") -> UserError:
        return UserError(
            f"{self.path}: expected a complete COLMAP file, found one cut short at "
            f"{len(self.map)} bytes{detail}; copy it again or export the model anew"
        )


_COUNT = struct.Struct("<Q")
_CAMERA = struct.Struct("<IiQQ")
_IMAGE = struct.Struct("<I7dI")
_POINT = np.dtype(
    [("id", "<u8"), ("xyz", "<f8", 3), ("rgb", "u1", 3), ("error", "<f8"), ("track", "<u8")]
)
"""A point without the elements of its track, of 8 bytes each."""
_AT_ONCE = 1 << 18
"""Points gathered in one go: dense clouds have tens of millions."""


def cameras(data: MappedFile) -> dict[int, Lens]:
    """The lenses in cameras.bin, by id."""
    lenses = {}
    for _ in range(data.count(_CAMERA.size)):
        camera_id, model_id, width, height = data.unpack(_CAMERA)
        if model_id not in NAME_OF_ID:
            raise UserError(
                f"{data.path}: camera {camera_id} has the unknown model {model_id}; expected "
                f"one of 0 to {max(NAME_OF_ID)}"
            )
        name = NAME_OF_ID[model_id]
        number = MODELS[name].parameters if name in MODELS else 0
        params = data.unpack(struct.Struct(f"<{number}d"))
        lenses[camera_id] = lens(data.path, camera_id, name, width, height, params)
    return lenses


def images(data: MappedFile) -> list[RegisteredImage]:
    """The images in images.bin."""
    found = []
    for _ in range(data.count(_IMAGE.size + 9)):
        image_id, *pose, camera_id = data.unpack(_IMAGE)
        end = data.map.find(b"\0", data.position)
        if end < 0:
            raise data.cut_short()
        name = data.map[data.position : end].decode("utf-8", errors="surrogateescape")
        data.position = end + 1
        keypoints = data.count(24)
        data.position += 24 * keypoints
        found.append(image(data.path, image_id, name, camera_id, pose))
    return found


def points(data: MappedFile) -> Points:
    """The points in points3D.bin."""
    count = data.count(_POINT.itemsize)
    starts, lengths = _records(data, count)
    xyz, rgb = np.empty((count, 3)), np.empty((count, 3), np.uint8)
    content = np.frombuffer(data.map, np.uint8)
    for first in range(0, count, _AT_ONCE):
        rows = slice(first, first + _AT_ONCE)
        records = content[starts[rows, None] + np.arange(_POINT.itemsize)].view(_POINT).ravel()
        xyz[rows], rgb[rows] = records["xyz"], records["rgb"]
    point = np.repeat(np.arange(count), lengths)
    element = np.arange(len(point)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    places = starts[point] + _POINT.itemsize + 8 * element
    image_id = content[places[:, None] + np.arange(4)].view("<u4").astype(np.int64).ravel()
    del content
    return Points(PointCloud(xyz, rgb), image_id, point)


def _records(data: MappedFile, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of the records of points3D.bin starts, and the length of its track."""
    size = _POINT.itemsize
    if count and data.position + count * size == len(data.map):
        # no room for a track: a dense cloud of millions, which need not be walked
        starts = data.position + size * np.arange(count)
        if np.ndarray(count, "<u8", data.map, data.position + size - 8, size).any():
            raise data.cut_short()
        return starts, np.zeros(count, np.int64)
    starts, lengths = np.empty(count, np.int64), np.empty(count, np.int64)
    position = data.position
    track_length = _COUNT.unpack_from
    try:
        # Records differ in length, so this walk is the only loop over the points.
        for i in range(count):
            starts[i] = position
            lengths[i] = track_length(data.map, position + size - 8)[0]
            position += size + 8 * int(lengths[i])
    except (struct.error, OverflowError):
        raise data.cut_short() from None
    if position > len(data.map):
        raise data.cut_short()
    return starts, lengths


def announced(path: Path) -> int:
    """The number of records that a file announces; 0 for one that is too short to."""
    with open(path, "rb") as stream:
        head = stream.read(_COUNT.size)
    return _COUNT.unpack(head)[0] if len(head) == _COUNT.size else 0
