"""transforms.json of nerfstudio and instant-ngp, and the split files of the synthetic NeRF scenes.

Poses there are camera-to-world with x right, y up, z back (OpenGL); ours look along +z with y down.
The world stays the file's own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np

from data.clouds import PointCloud, read_cloud
from data.errors import UserError
from data.images import photo_size
from data.lenses import Lens
from data.sparse_model import FARTHEST, RegisteredImage, SparseModel, lens

SPLIT_FILES: dict[str, Literal["train", "test"]] = {
    "transforms_train.json": "train",
    "transforms_test.json": "test",
}
CAMERA_MODELS = ("PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "OPENCV_FISHEYE")
"""What `camera_model` may say; all but the last are OPENCV with some coefficients 0."""
SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".webp", ".PNG", ".JPG", ".JPEG")
_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


def find_transforms(scene: Path) -> list[Path]:
    """transforms.json of a scene, or its files by split; none without either."""
    if (scene / "transforms.json").is_file():
        return [scene / "transforms.json"]
    if (scene / "transforms_train.json").is_file():
        return [scene / name for name in SPLIT_FILES if (scene / name).is_file()]
    return []


def read_transforms(files: list[Path]) -> SparseModel:
    """The model in these files, which lie in one folder; UserError for what cannot be one.

    Frames whose photo is not on disk stay, with their name as written: the scene counts them.
    """
    images: list[RegisteredImage] = []
    lenses: dict[int, Lens] = {}
    points = PointCloud(np.empty((0, 3)), np.empty((0, 3), np.uint8))
    notes = []
    for file in files:
        content = _read(file)
        known = {lens_: number for number, lens_ in lenses.items()}
        for number, frame in enumerate(content["frames"]):
            where = f"{file}, frame {number}"
            if not isinstance(frame, dict) or not isinstance(frame.get("file_path"), str):
                raise UserError(f"{where}: expected an object with file_path, found something else")
            photo = _photo(file.parent, frame["file_path"])
            found = _lens(file, where, {**content, **frame}, photo)
            if found is None:
                found = next(iter(known), None)  # a missing photo needs none of its own
            camera_id = known.setdefault(found, len(known)) if found else 0
            name = Path(frame["file_path"]).as_posix() if photo is None else photo
            pose = _cam_from_world(where, frame.get("transform_matrix"))
            split = SPLIT_FILES.get(file.name) or _named_split(content, frame["file_path"])
            mask = _mask(file.parent, where, frame.get("mask_path"))
            images.append(RegisteredImage(len(images), name, camera_id, pose, split, mask))
        lenses = {number: lens_ for lens_, number in known.items()}
        if isinstance(cloud := content.get("ply_file_path"), str):
            if _is_file(file.parent, cloud):
                points = read_cloud(file.parent / cloud)
            else:
                notes.append(f"the points that {file.name} names are not on disk: {cloud}")
    if not lenses:
        raise UserError(
            f"{files[0]}: expected a size (w, h) or the photos on disk, found neither; copy the "
            "photos beside it"
        )
    return SparseModel(files[0], lenses, tuple(images), points, {}, tuple(notes))


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"{file}: expected a readable file, found: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{file}: expected a JSON file, found one that is broken ({error}); copy it again"
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get("frames"), list):
        raise UserError(f"{file}: expected an object with a list of frames, found none")
    return content


def _photo(folder: Path, name: str) -> str | None:
    """The name of the photo on disk, which may be written without its suffix."""
    for suffix in SUFFIXES:
        if _is_file(folder, name + suffix):
            return Path(name + suffix).as_posix()
    return None


def _is_file(folder: Path, name: str) -> bool:
    return "\0" not in name and len(name) <= 4096 and (folder / name).is_file()


def _mask(folder: Path, where: str, name: Any) -> str | None:
    """The mask that a frame of nerfstudio names; white where the photo counts."""
    if name is None:
        return None
    if not isinstance(name, str) or not _is_file(folder, name):
        raise UserError(
            f"{where}: expected its mask {name!r} on disk, found none; copy it or drop mask_path"
        )
    return name


def _lens(file: Path, where: str, values: dict[str, Any], photo: str | None) -> Lens | None:
    """The lens of a frame whose keys stand above those of the file; None where neither tells the
    size and there is no photo that would."""

    def number(key: str, otherwise: float) -> float:
        value = values.get(key, otherwise)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise UserError(f"{where}: expected a number for {key}, found {value!r}")
        return float(value)

    width, height = number("w", 0), number("h", 0)
    if not (width > 0 and height > 0):
        if photo is None:
            return None
        width, height, _ = photo_size(file.parent / photo)
    if not (np.isfinite([width, height]).all() and max(width, height) < 1 << 20):
        raise UserError(f"{where}: expected a size of a photo, found {width} x {height}")
    focal = number("fl_x", 0)
    if not focal:
        angle = number("camera_angle_x", 0)
        if not 0 < angle < np.pi:
            raise UserError(
                f"{where}: expected fl_x or camera_angle_x, found neither; add one of them"
            )
        focal = 0.5 * width / np.tan(0.5 * angle)
    kind = values.get("camera_model")
    if kind is not None and kind not in CAMERA_MODELS:
        raise UserError(
            f"{where}: expected a camera_model among {', '.join(CAMERA_MODELS)}, found {kind!r}"
        )
    fisheye = kind == "OPENCV_FISHEYE" or bool(values.get("is_fisheye"))
    k1, k2, k3, k4 = (number(f"k{i}", 0) for i in (1, 2, 3, 4))
    p1, p2 = number("p1", 0), number("p2", 0)
    params = [focal, number("fl_y", focal), number("cx", width / 2), number("cy", height / 2)]
    if fisheye:
        name, bent = "OPENCV_FISHEYE", [k1, k2, k3, k4]
    elif k3 or k4:
        name, bent = "FULL_OPENCV", [k1, k2, p1, p2, k3, k4, 0.0, 0.0]
    else:
        name, bent = "OPENCV", [k1, k2, p1, p2]
    return lens(file, 0, name, int(width), int(height), params + bent)


def _cam_from_world(where: str, matrix: Any) -> np.ndarray:
    try:
        world_from_cam = np.array(matrix, np.float64)
    except (TypeError, ValueError, OverflowError):
        world_from_cam = np.empty(0)
    if (
        world_from_cam.shape not in ((4, 4), (3, 4))
        or not (np.abs(world_from_cam) < FARTHEST).all()
    ):
        raise UserError(f"{where}: expected a transform_matrix of 4 x 4 finite numbers, found none")
    rotation, position = world_from_cam[:3, :3], world_from_cam[:3, 3]
    size = np.cbrt(np.abs(np.linalg.det(rotation)))
    rotation = rotation / size if size > 1e-9 else rotation
    proper = np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3) and size > 1e-9
    if not proper or np.linalg.det(rotation) < 0:
        raise UserError(
            f"{where}: expected a transform_matrix that rotates and moves, found one that shears "
            "or mirrors"
        )
    cam_from_world = np.eye(4)
    cam_from_world[:3, :3] = rotation.T
    cam_from_world[:3, 3] = -rotation.T @ position
    return _FLIP @ cam_from_world


def _named_split(content: dict[str, Any], name: str) -> Literal["train", "test"] | None:
    """nerfstudio may list the names of either side."""
    for key, split in (("train_filenames", "train"), ("test_filenames", "test")):
        listed = content.get(key)
        if isinstance(listed, list) and name in listed:
            return split  # type: ignore[return-value]
    return None
