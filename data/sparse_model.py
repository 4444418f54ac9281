"""What structure from motion leaves: lenses, posed images, sparse points; and the checks that every
reader of it shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from data.clouds import PointCloud
from data.errors import UserError
from data.geometry import rotation_from_quat
from data.lenses import Lens, lens_from_colmap

FARTHEST = 1e12
"""Coordinates beyond this are no coordinates: the Earth has 1e7 metres."""


@dataclass(frozen=True, eq=False)
class RegisteredImage:
    """A photo with a pose: its name relative to the image folder, and its camera."""

    image_id: int
    name: str
    camera_id: int
    cam_from_world: Float64[np.ndarray, "4 4"]
    split: Literal["train", "test"] | None = None
    """Where the model itself says what is held out."""
    mask: str | None = None
    """The photo's mask, relative to the scene, where the model itself names it."""


@dataclass(frozen=True, eq=False)
class Points:
    """Sparse points and their tracks: observation o is of point `point[o]` in image
    `image_id[o]`. Exports without tracks have no observations."""

    cloud: PointCloud
    image_id: Int64[np.ndarray, "o"]
    point: Int64[np.ndarray, "o"]

    @classmethod
    def of(cls, cloud: PointCloud) -> Points:
        """Points without tracks."""
        return cls(cloud, np.empty(0, np.int64), np.empty(0, np.int64))

    def finite(self) -> Points:
        """Without the points that have no position."""
        good = (np.abs(self.cloud.xyz) < FARTHEST).all(axis=1)
        if good.all():
            return self
        rgb = None if self.cloud.rgb is None else self.cloud.rgb[good]
        kept = good[self.point]
        row = np.cumsum(good) - 1
        cloud = PointCloud(self.cloud.xyz[good], rgb)
        return Points(cloud, self.image_id[kept], row[self.point[kept]])

    def seen_by(self) -> dict[int, Int64[np.ndarray, "k"]]:
        """Rows of the points that each image observes, by the id of the image, each once."""
        order = np.argsort(self.image_id, kind="stable")
        ids, starts = np.unique(self.image_id[order], return_index=True)
        rows = np.split(self.point[order], starts[1:])
        return {int(image): np.unique(seen) for image, seen in zip(ids, rows, strict=False)}


@dataclass(frozen=True, eq=False)
class SparseModel:
    """What one reconstruction holds; `notes` say what was passed over."""

    path: Path
    lenses: dict[int, Lens]
    images: tuple[RegisteredImage, ...]
    points: PointCloud
    seen_by: dict[int, Int64[np.ndarray, "k"]]
    """Rows of `points` that an image observes, by its id; empty for exports without tracks."""
    notes: tuple[str, ...] = ()


def lens(
    path: Path, camera_id: int, name: str, width: int, height: int, params: Sequence[float]
) -> Lens:
    """A camera's lens; UserError, which names the file, for what no lens can be."""
    try:
        return lens_from_colmap(name, width, height, params)
    except UserError as error:
        raise UserError(f"{path}: camera {camera_id}: {error}") from None


def image(
    path: Path, image_id: int, name: str, camera_id: int, pose: Sequence[float]
) -> RegisteredImage:
    """A registered image of `pose` = (qw, qx, qy, qz, tx, ty, tz); UserError for an impossible
    one."""
    norm = np.linalg.norm(pose[:4])
    possible = np.isfinite(pose).all() and np.abs(pose[4:]).max() < FARTHEST
    if not (possible and 1e-9 < norm < FARTHEST):
        raise UserError(
            f"{path}: image {name} has no valid pose (found {list(pose)}); remove it from the model"
        )
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = rotation_from_quat(np.array(pose[:4]))
    cam_from_world[:3, 3] = pose[4:]
    name = name.replace("\\", "/").removeprefix("./")
    return RegisteredImage(image_id, name, camera_id, cam_from_world)
