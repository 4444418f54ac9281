"""Scenes: the photos that are both registered and on disk, their cameras, and the split."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

from data.camera import Camera
from data.clouds import PointCloud
from data.colmap import ColmapModel, find_models, read_model
from data.errors import UserError
from data.images import area_average, photo_size, read_photo, undistort
from data.lenses import Lens, undistorted_camera

HOLD_OUT_EVERY = 8
"""Of the sorted names, those with index 0, 8, 16, ... are held out, as in the 3DGS papers."""

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".gif"}
PHOTO_FOLDERS = ("images", "input", "dense/images", "dense/0/images", ".")


@dataclass(frozen=True, eq=False)
class View:
    """One photo: where it lies, and the pinhole camera that its loaded pixels belong to."""

    name: str
    """Name in the model: relative to the photo folder, with forward slashes."""
    camera: Camera
    image_path: Path
    split: Literal["train", "test"]
    lens: Lens | None = None
    """Lens at the size of the file; None for a pinhole, whose photo is not resampled."""
    seen: Int64[np.ndarray, "k"] | None = None
    """Rows of the scene's points that COLMAP found in this photo; None where the model keeps no
    tracks."""

    def image(self) -> Float32[np.ndarray, "h w 3"]:
        """The photo at the camera's size, sRGB 0..1: decoded, undistorted, area-averaged.

        A pure function of the file, decoded anew at each call. Raises `UserError` for a broken one.
        """
        photo = read_photo(self.image_path)
        if self.lens is not None:
            photo, _ = undistort(photo, self.lens)
        if photo.shape[:2] != (self.camera.height, self.camera.width):
            photo = area_average(photo, self.camera.width, self.camera.height)
        return photo.astype(np.float32) / np.float32(255)


@dataclass(frozen=True, eq=False)
class Scene:
    """Views sorted by name and sparse points, in the world of the COLMAP model."""

    name: str
    path: Path
    views: tuple[View, ...]
    points: PointCloud
    notes: tuple[str, ...] = ()
    """Lines for the user: what was found, left out and done."""

    @property
    def train(self) -> tuple[View, ...]:
        """The views to learn from."""
        return tuple(view for view in self.views if view.split == "train")

    @property
    def test(self) -> tuple[View, ...]:
        """The held-out views, which nothing but the final score may touch."""
        return tuple(view for view in self.views if view.split == "test")

    @cached_property
    def radius(self) -> float:
        """The scale of the scene in world units, by which learning rates and thresholds are set.

        1.1 times the median distance of the training cameras from their centroid; where they all
        stand in one place (a panorama), the median depth of the points.
        """
        cameras = [view.camera for view in self.train or self.views]
        centres = np.array([camera.position_world for camera in cameras])
        spread = float(np.median(np.linalg.norm(centres - centres.mean(0), axis=1)))
        distance = np.linalg.norm(self.points.xyz - centres.mean(0), axis=1)
        depth = float(np.median(distance)) if len(distance) else 1.0
        return 1.1 * spread if spread > 1e-4 * depth else depth


def load_scene(path: str | Path, data_factor: int = 1, train_on_all: bool = False) -> Scene:
    """The scene in a COLMAP folder, its photos shrunk `data_factor` times (not decoded yet).

    Every 8th photo is held out unless `train_on_all`. Raises `UserError`, in one line, for
    whatever makes the folder unusable.
    """
    path = Path(path)
    if data_factor < 1:
        raise UserError(f"data factor: expected 1 or more, found {data_factor}")
    model, notes = _find_model(path)
    files, missing = _match_photos(path, model)
    if missing:
        notes.append(f"{len(missing)} of {len(model.images)} registered photos are not on disk")
    if len(files) == 1:
        raise UserError(
            f"{path}: found one photo ({next(iter(files))}); expected at least two that the model "
            "registers, as depth comes from parallax"
        )
    if not len(model.points):
        raise UserError(
            f"{model.path}: found no 3D points; expected a triangulated model: run COLMAP's mapper "
            "or point_triangulator"
        )
    images = {image.name: image for image in model.images}
    views, with_alpha = [], 0
    for index, name in enumerate(sorted(files)):
        held_out = index % HOLD_OUT_EVERY == 0 and not train_on_all
        image = images[name]
        lens, alpha = _lens_of_file(files[name], model.lenses[image.camera_id])
        with_alpha += alpha
        camera = undistorted_camera(lens, image.cam_from_world)
        if lens.is_pinhole:
            camera, lens = Camera(lens.K, image.cam_from_world, lens.width, lens.height), None
        camera = _shrunk(camera, data_factor, name)
        split = "test" if held_out else "train"
        seen = model.seen_by.get(image.image_id)
        views.append(View(name, camera, files[name], split, lens, seen))
    if with_alpha:
        notes.append(f"{with_alpha} photos have an alpha channel and are composited on black")
    if warped := Counter(view.lens.model.name for view in views if view.lens):
        listed = ", ".join(f"{number} {name}" for name, number in sorted(warped.items()))
        notes.append(f"photos are undistorted as COLMAP does: {listed}")
    name = path.resolve().name
    return Scene(name, path, tuple(views), model.points, (*notes, *model.notes))


def inner_split(scene: Scene) -> Scene:
    """The scene without its test views, every 8th of its training views held out instead.

    For choosing defaults, which the real test views must not see.
    """
    views = tuple(
        replace(view, split="train" if index % HOLD_OUT_EVERY else "test")
        for index, view in enumerate(scene.train)
    )
    return replace(scene, views=views)


def _find_model(path: Path) -> tuple[ColmapModel, list[str]]:
    if not path.is_dir():
        found = "a file" if path.exists() else "nothing"
        raise UserError(f"{path}: expected a folder with a COLMAP scene, found {found}")
    if not any(path.iterdir()):
        raise UserError(
            f"{path}: the folder is empty; expected photos in images/ and a COLMAP model in sparse/"
        )
    models = find_models(path)
    if not models:
        raise UserError(
            f"{path}: found no COLMAP model; expected cameras, images and points3D (.bin or .txt) "
            "in sparse/0/: run COLMAP on the photos first"
        )
    model = read_model(models[0])
    notes = []
    if len(models) > 1:
        others = ", ".join(str(other.relative_to(path)) for other in models[1:])
        notes.append(
            f"{len(models)} models: using {models[0].relative_to(path)} with the most images "
            f"({len(model.images)}), leaving {others}"
        )
    if not model.images:
        raise UserError(f"{model.path}: found no registered images; run COLMAP's mapper again")
    return model, notes


def _match_photos(path: Path, model: ColmapModel) -> tuple[dict[str, Path], list[str]]:
    """Files by registered name, from the first folder that has any, and the missing names."""
    names = [image.name for image in model.images]
    if repeated := [name for name, number in Counter(names).items() if number > 1]:
        raise UserError(f"{model.path}: photo {repeated[0]} is registered twice; export it anew")
    found: dict[str, str] = {}
    seen_any = False
    folder = path
    for folder in (path / place for place in PHOTO_FOLDERS):
        disk = _photos_below(folder)
        seen_any |= bool(disk)
        try:
            found = match_names(names, disk)
        except UserError as error:
            raise UserError(f"{folder}: {error}") from None
        if found:
            break
    if not seen_any:
        raise UserError(f"{path}: found no photos; expected them in {path / 'images'}")
    if not found:
        raise UserError(
            f"{path}: none of the {len(names)} registered photos is on disk (looking for "
            f"{names[0]}); copy them to {path / 'images'}"
        )
    files = {name: folder / file for name, file in found.items()}
    return files, [name for name in names if name not in files]


def match_names(names: list[str], disk: list[str]) -> dict[str, str]:
    """The file on disk for each registered name that has one.

    By relative path, then by path without suffix, ignoring case; and by base name and stem where
    no folder agrees at all. Raises `UserError` where a name fits several files.
    """
    exact = set(disk)
    found = {name: name for name in names if name in exact}
    for key in (str.casefold, _without_suffix, _base, _stem):
        if key is _base and found:
            break  # folders agree, so what is left is missing, not elsewhere
        taken = set(found.values())
        candidates: dict[str, list[str]] = {}
        for file in disk:
            if file not in taken:
                candidates.setdefault(key(file), []).append(file)
        claimed: dict[str, str] = {}
        for name in names:
            if name in found or key(name) not in candidates:
                continue
            fits = candidates[key(name)]
            if len(fits) > 1 or key(name) in claimed:
                other = claimed.get(key(name))
                several = f"names {other} and {name} fit" if other else f"name {name} fits"
                raise UserError(
                    f"registered {several} the files {', '.join(sorted(fits)[:3])}; expected one "
                    "file each: give the photos the relative paths that the model has"
                )
            claimed[key(name)] = name
        found |= {name: candidates[fit][0] for fit, name in claimed.items()}
    return found


def _without_suffix(name: str) -> str:
    return os.path.splitext(name)[0].casefold()


def _base(name: str) -> str:
    return name.rsplit("/", 1)[-1].casefold()


def _stem(name: str) -> str:
    return _without_suffix(_base(name))


def _photos_below(folder: Path) -> list[str]:
    """Names of the photos in and below a folder, relative to it, sorted; none without it."""
    names = []
    for base, _, files in os.walk(folder):
        below = Path(base).relative_to(folder)
        names += [(below / f).as_posix() for f in files if Path(f).suffix.lower() in PHOTO_SUFFIXES]
    return sorted(names)


def _lens_of_file(path: Path, lens: Lens) -> tuple[Lens, bool]:
    """The lens at the size that the file really has, and whether the file has an alpha channel."""
    width, height, alpha = photo_size(path)
    if (width, height) == (lens.width, lens.height):
        return lens, alpha
    if abs(width * lens.height / (height * lens.width) - 1) > 0.05:
        raise UserError(
            f"{path}: found {width}x{height} pixels, expected the shape of its camera "
            f"({lens.width}x{lens.height}); the photo was rotated or cropped after COLMAP"
        )
    return lens.resized(width, height), alpha


def _shrunk(camera: Camera, data_factor: int, name: str) -> Camera:
    width, height = int(camera.width // data_factor), int(camera.height // data_factor)
    if min(width, height) < 1:
        raise UserError(
            f"{name}: {camera.width}x{camera.height} pixels cannot be shrunk {data_factor} times; "
            "choose a smaller data factor"
        )
    return camera.resized(width, height) if data_factor != 1 else camera
