"""COLMAP models: cameras, images and points3D, binary and text.

The layouts are COLMAP's (https://colmap.github.io/format.html). Binary files are little-endian and
checked against their size before anything is allocated; of images only poses are read, of points
only positions and colours.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from data.clouds import PointCloud
from data.errors import UserError
from data.geometry import rotation_from_quat
from data.lenses import MODELS, NAME_OF_ID, Lens, lens_from_colmap

PLACES = ("sparse", "sparse_txt", "colmap/sparse", "dense/sparse", "dense/0/sparse", "model", ".")
"""Folders of a scene where models lie, directly or in numbered sub-folders, in order of search."""


@dataclass(frozen=True, eq=False)
class RegisteredImage:
    """A photo that COLMAP placed: its name relative to the image folder, its camera, its pose."""

    name: str
    camera_id: int
    cam_from_world: Float64[np.ndarray, "4 4"]


@dataclass(frozen=True, eq=False)
class ColmapModel:
    """What is in a model folder; `notes` say what was passed over."""

    path: Path
    lenses: dict[int, Lens]
    images: tuple[RegisteredImage, ...]
    points: PointCloud
    notes: tuple[str, ...] = ()


def find_models(scene: Path) -> list[Path]:
    """The model folders of the first of `PLACES` that has any, most registered images first."""
    for place in PLACES:
        base = scene / place
        if not base.is_dir():
            continue
        folders = [base] if place == "." else [base, *sorted(base.iterdir())]
        models = [folder for folder in folders if _is_model(folder)]
        if models:
            return sorted(models, key=_count_images, reverse=True)
    return []


def read_model(path: str | Path) -> ColmapModel:
    """The model in folder `path`; the binary files are preferred where both kinds are there.

    Raises `UserError` for files that are missing, cut short or not COLMAP's.
    """
    path = Path(path)
    found = {stem: _file(path, stem) for stem in ("cameras", "images", "points3D")}
    for stem, file in found.items():
        if file is None:
            raise UserError(
                f"{path}: expected {stem}.bin or {stem}.txt, found neither; copy the complete model"
            )
    files = {stem: file for stem, file in found.items() if file is not None}
    lenses = _read(files["cameras"], _cameras_bin, _cameras_txt)
    images = _read(files["images"], _images_bin, _images_txt)
    points = _read(files["points3D"], _points_bin, _points_txt)
    for image in images:
        if image.camera_id not in lenses:
            raise UserError(
                f"{files['images']}: image {image.name} uses camera {image.camera_id}, found only "
                f"cameras {sorted(lenses)[:5]} in {files['cameras'].name}; the files belong to "
                "different models"
            )
    finite = np.isfinite(points.xyz).all(axis=1)
    notes = ()
    if not finite.all():
        notes = (f"{(~finite).sum()} points of the model were not finite and are left out",)
        rgb = None if points.rgb is None else points.rgb[finite]
        points = PointCloud(points.xyz[finite], rgb)
    return ColmapModel(path, lenses, tuple(images), points, notes)


def _read(file: Path, binary: Callable, text: Callable):
    try:
        if file.suffix == ".txt":
            return text(file)
        with _Bytes(file) as data:
            return binary(data)
    except OSError as error:
        raise UserError(f"{file}: expected a readable file, found: {error.strerror}") from None


class _Bytes:
    """A binary file, mapped; reading past its end is a `UserError`, never a crash."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = 0

    def __enter__(self) -> _Bytes:
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
_POINT_BYTES = 43
"""id u64, xyz 3 f64, rgb 3 u8, error f64; then a track: its length u64, and 8 bytes an element."""


def _cameras_bin(data: _Bytes) -> dict[int, Lens]:
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
        lenses[camera_id] = _lens(data.path, camera_id, name, width, height, params)
    return lenses


def _images_bin(data: _Bytes) -> list[RegisteredImage]:
    images = []
    for _ in range(data.count(_IMAGE.size + 9)):
        _, *pose, camera_id = data.unpack(_IMAGE)
        end = data.map.find(b"\0", data.position)
        if end < 0:
            raise data.cut_short()
        name = data.map[data.position : end].decode("utf-8", errors="surrogateescape")
        data.position = end + 1
        keypoints = data.count(24)
        data.position += 24 * keypoints
        images.append(_image(data.path, name, camera_id, pose))
    return images


def _points_bin(data: _Bytes) -> PointCloud:
    count = data.count(_POINT_BYTES + 8)
    starts = np.empty(count, np.int64)
    position = data.position
    track_length = _COUNT.unpack_from
    try:
        # Records differ in length, so this walk is the only loop over the points.
        for i in range(count):
            starts[i] = position
            position += 51 + 8 * track_length(data.map, position + 43)[0]
    except (struct.error, OverflowError):
        raise data.cut_short() from None
    if position > len(data.map):
        raise data.cut_short()
    content = np.frombuffer(data.map, np.uint8)
    xyz = content[starts[:, None] + np.arange(8, 32)].view("<f8").astype(np.float64)
    rgb = content[starts[:, None] + np.arange(32, 35)]
    del content
    return PointCloud(xyz.reshape(-1, 3), rgb)


def _cameras_txt(path: Path) -> dict[int, Lens]:
    lenses = {}
    for number, line in _lines(path):
        if not line:
            continue
        words = line.split()
        try:
            camera_id, width, height = int(words[0]), int(words[2]), int(words[3])
            params = [float(word) for word in words[4:]]
        except (ValueError, IndexError):
            raise _bad_line(path, number, "CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]") from None
        lenses[camera_id] = _lens(path, camera_id, words[1], width, height, params)
    return lenses


def _images_txt(path: Path) -> list[RegisteredImage]:
    """Each image has two lines, the second with its 2D points, which may be empty or left out."""
    images = []
    points_may_follow = False
    for number, line in _lines(path):
        words = line.split(maxsplit=9)
        if points_may_follow and not _starts_image(words):
            points_may_follow = False
            continue
        if not words:
            continue
        try:
            int(words[0])
            pose, camera_id, name = [float(word) for word in words[1:8]], int(words[8]), words[9]
        except (ValueError, IndexError):
            layout = "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME"
            raise _bad_line(path, number, layout) from None
        images.append(_image(path, name.strip(), camera_id, pose))
        points_may_follow = True
    return images


def _starts_image(words: list[str]) -> bool:
    """Whether a line in the place of 2D points is an image, its tenth word not being a number."""
    if len(words) < 10:
        return False
    quat = [_number(word) for word in words[1:5]]
    if not (words[0].isdecimal() and words[8].isdecimal()):
        return False
    return bool(abs(np.linalg.norm(quat) - 1) < 1e-2 and np.isnan(_number(words[9].split()[0])))


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")


def _points_txt(path: Path) -> PointCloud:
    rows = []
    for number, line in _lines(path):
        if not line:
            continue
        words = line.split(maxsplit=7)[1:7]
        try:
            rows.append([float(word) for word in words])
        except ValueError:
            words = []
        if len(words) < 6:
            raise _bad_line(path, number, "POINT3D_ID X Y Z R G B ERROR TRACK[]")
    table = np.array(rows, np.float64).reshape(-1, 6)
    return PointCloud(table[:, :3], np.clip(np.nan_to_num(table[:, 3:]), 0, 255).astype(np.uint8))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines without comments; a byte-order mark and any line ends are taken off."""
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as stream:
        for number, line in enumerate(stream, 1):
            if not line.startswith("#"):
                yield number, line.strip()


def _lens(
    path: Path, camera_id: int, name: str, width: int, height: int, params: Sequence[float]
) -> Lens:
    try:
        return lens_from_colmap(name, width, height, params)
    except UserError as error:
        raise UserError(f"{path}: camera {camera_id}: {error}") from None


def _image(path: Path, name: str, camera_id: int, pose: list[float]) -> RegisteredImage:
    norm = np.linalg.norm(pose[:4])
    if not (np.isfinite(pose).all() and norm > 1e-9):
        raise UserError(
            f"{path}: image {name} has no valid pose (found {pose}); remove it from the model"
        )
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = rotation_from_quat(np.array(pose[:4]))
    cam_from_world[:3, 3] = pose[4:]
    return RegisteredImage(name.replace("\\", "/").removeprefix("./"), camera_id, cam_from_world)


def _bad_line(path: Path, number: int, layout: str) -> UserError:
    return UserError(
        f"{path}, line {number}: expected {layout}, found something else; export it anew"
    )


def _file(folder: Path, stem: str) -> Path | None:
    files = (folder / f"{stem}.bin", folder / f"{stem}.txt")
    return next((file for file in files if file.is_file()), None)


def _is_model(folder: Path) -> bool:
    return folder.is_dir() and any(_file(folder, stem) for stem in ("cameras", "images"))


def _count_images(folder: Path) -> int:
    """Number of images that a model announces; 0 where that cannot be told."""
    file = _file(folder, "images")
    if file is None:
        return 0
    if file.suffix == ".txt":
        try:
            return len(_images_txt(file))
        except UserError:
            return 0
    with open(file, "rb") as stream:
        head = stream.read(8)
    return _COUNT.unpack(head)[0] if len(head) == 8 else 0
