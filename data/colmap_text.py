"""COLMAP's text layout (https://colmap.github.io/format.html), and the dialects of it that
Metashape and RealityScan write: byte-order marks, blank lines, images without 2D points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data.clouds import PointCloud
from data.errors import UserError
from data.lenses import Lens
from data.sparse_model import Points, RegisteredImage, image, lens


def cameras(path: Path) -> dict[int, Lens]:
    """The lenses in cameras.txt, by id."""
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
        lenses[camera_id] = lens(path, camera_id, words[1], width, height, params)
    return lenses


def images(path: Path) -> list[RegisteredImage]:
    """Each image has two lines, the second with its 2D points, which may be empty or left out."""
    found = []
    points_may_follow = False
    for number, line in _lines(path):
        words = line.split(maxsplit=9)
        if points_may_follow and not _starts_image(words):
            points_may_follow = False
            continue
        if not words:
            continue
        try:
            image_id, pose = int(words[0]), [float(word) for word in words[1:8]]
            camera_id, name = int(words[8]), words[9]
        except (ValueError, IndexError):
            layout = "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME"
            raise _bad_line(path, number, layout) from None
        found.append(image(path, image_id, name.strip(), camera_id, pose))
        points_may_follow = True
    return found


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


def points(path: Path) -> Points:
    """The points in points3D.txt; tracks may be left out."""
    rows, tracks = [], []
    for number, line in _lines(path):
        if not line:
            continue
        words = line.split()
        try:
            rows.append([float(word) for word in words[1:7]])
            tracks.append(np.array([int(word) for word in words[8::2]], np.int64))
        except (ValueError, OverflowError):
            words = []
        if len(words) < 7:
            raise _bad_line(path, number, "POINT3D_ID X Y Z R G B ERROR TRACK[]")
    table = np.array(rows, np.float64).reshape(-1, 6)
    rgb = np.clip(np.nan_to_num(table[:, 3:]), 0, 255).astype(np.uint8)
    lengths = [len(track) for track in tracks]
    image_id = np.concatenate([np.empty(0, np.int64), *tracks])
    return Points(PointCloud(table[:, :3], rgb), image_id, np.repeat(np.arange(len(rows)), lengths))


def _bad_line(path: Path, number: int, layout: str) -> UserError:
    return UserError(
        f"{path}, line {number}: expected {layout}, found something else; export it anew"
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines without comments; a byte-order mark and any line ends are taken off."""
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as stream:
        for number, line in enumerate(stream, 1):
            if not line.startswith("#"):
                yield number, line.strip()
