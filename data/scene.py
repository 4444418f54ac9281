"""Scenes: the photos that are both registered and on disk, their cameras, and the split."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt16

from data import flat_photos
from data.archives import is_archive, unpacked
from data.camera import Camera
from data.clouds import PointCloud
from data.colmap import BENT
from data.errors import UserError, printable
from data.images import (
    area_average,
    photo_size,
    read_alpha,
    read_mask,
    read_photo,
    resize_mask,
    undistort,
)
from data.lenses import Lens, undistorted_camera
from data.masks import with_masks
from data.photo_files import find_masks, find_photos
from data.reconstruction import find_model
from data.repairs import recentred, with_points

Alpha = Literal["transparent", "mask"]
"""An alpha channel: transparency of what was photographed, or which pixels count."""

_BYTE = np.float32(255)
_PARTS = 256
"""Of a byte, in which averages are kept on disk."""
_ALPHA_MEANS = {
    "transparent": "what they make transparent is left empty (--alpha mask: left out of the loss)",
    "mask": "what they make transparent is left out of the loss",
}

HOLD_OUT_EVERY = 8
"""Of the sorted names, those with index 0, 8, 16, ... are held out, as in the 3DGS papers."""


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

    mask_path: Path | None = None
    """White where the photo counts."""
    inverted: bool = False
    """Whether the mask is black where the photo counts."""
    alpha: Alpha | None = None
    """What the photo's alpha channel means; None for a photo that has none."""

    def image(self) -> Float32[np.ndarray, "h w 3"]:
        """The photo at the camera's size, sRGB 0..1: decoded, undistorted, area-averaged.

        A pure function of the file, decoded anew at each call; composited on black where its alpha
        channel is transparency. Raises `UserError` for a broken one.
        """
        straight = self.alpha == "mask"
        if self.lens is None:
            return self._fitted(read_photo(self.image_path, straight)) / _BYTE
        how = f"{self.lens} {self.camera.width}x{self.camera.height} {straight}"

        def undistorted() -> UInt16[np.ndarray, "h w 3"]:
            fitted = self._fitted(read_photo(self.image_path, straight))
            return np.rint(fitted * np.float32(_PARTS)).astype(np.uint16)

        parts = flat_photos.kept(self.image_path, how, undistorted)
        return parts.astype(np.float32) / (_BYTE * np.float32(_PARTS))

    def kept(self) -> Float32[np.ndarray, "h w"] | None:
        """How much each pixel of `image` counts, 0..1; None if all do. UserError for a broken
        mask."""
        counts = None
        if self.mask_path is not None:
            width, height, _ = photo_size(self.image_path)
            mask = resize_mask(read_mask(self.mask_path), width, height)
            counts = self._fitted(255 - mask if self.inverted else mask) / _BYTE
        if self.alpha == "mask":
            alpha = self._fitted(read_alpha(self.image_path)) / _BYTE
            counts = alpha if counts is None else counts * alpha
        return counts

    def opacity(self) -> Float32[np.ndarray, "h w"] | None:
        """The alpha channel at the camera's size, 0..1; None where it is no transparency."""
        if self.alpha != "transparent":
            return None
        return self._fitted(read_alpha(self.image_path)) / _BYTE

    def _fitted(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels of the file as those of the camera: float32, 0..255."""
        photo = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
        if self.lens is not None:
            photo, _ = undistort(photo, self.lens)
        if photo.shape[:2] != (self.camera.height, self.camera.width):
            photo = area_average(photo, self.camera.width, self.camera.height)
        return (photo[..., 0] if pixels.ndim == 2 else photo).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Scene:
    """Views sorted by name and sparse points, in the world of the COLMAP model."""

    name: str
    path: Path
    views: tuple[View, ...]
    points: PointCloud
    notes: tuple[str, ...] = ()
    """Lines for the user: what was found, left out and done."""
    origin_world: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the model has the zero of this scene: not 0 for georeferenced models, whose
    coordinates would not fit into float32."""
    rule: str = "every 8th of the sorted names"
    """By which views are held out."""

    @property
    def split(self) -> str:
        """How many views are held out, and by which rule, for whoever reads a score."""
        return f"{len(self.test)} of {len(self.views)} photos are held out: {self.rule}"

    @property
    def train(self) -> tuple[View, ...]:
        """The views to learn from."""
        return tuple(view for view in self.views if view.split == "train")

    @property
    def test(self) -> tuple[View, ...]:
        """The held-out views, which nothing but the final score may touch."""
        return tuple(view for view in self.views if view.split == "test")

    def without_points(self, gone: Bool[np.ndarray, "n"]) -> Scene:
        """The scene without some of its points; what views see follows."""
        row = np.cumsum(~gone) - 1
        rgb = None if self.points.rgb is None else self.points.rgb[~gone]
        views = tuple(
            view if view.seen is None else replace(view, seen=row[view.seen[~gone[view.seen]]])
            for view in self.views
        )
        return replace(self, points=PointCloud(self.points.xyz[~gone], rgb), views=views)

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


def load_scene(
    path: str | Path,
    data_factor: int = 1,
    train_on_all: bool = False,
    invert_masks: bool = False,
    alpha: Alpha = "transparent",
    model: Path | None = None,
    undistorted: bool = False,
) -> Scene:
    """The scene in a COLMAP folder, its photos shrunk `data_factor` times (not decoded yet).

    `model` is the folder of the cameras where that is another one. Every 8th photo is held out
    unless `train_on_all`. Masks beside the photos are white where they count, or black with
    `invert_masks`; `alpha` says what an alpha channel means. Where photos are `undistorted`
    already, the model's distortion is ignored. Raises `UserError`, in one line, for whatever makes
    the folder unusable.
    """
    path, source = Path(path), Path(path)
    if is_archive(path):
        path = unpacked(path)
    if data_factor < 1:
        raise UserError(f"data factor: expected 1 or more, found {data_factor}")
    sparse, notes = find_model(model or path)
    notes.extend(sparse.notes)
    images = {image.name: image for image in sparse.images}
    bent = sparse.path.is_relative_to(path / BENT)
    files, shrunk, of_photos = find_photos(path, list(images), data_factor, bent)
    notes.extend(of_photos)
    if len(files) == 1:
        raise UserError(
            f"{path}: found one photo ({next(iter(files))}); expected at least two that the model "
            "registers, as depth comes from parallax"
        )
    masks, of_masks = find_masks(path, files)
    notes.extend(of_masks)
    views, with_alpha = [], 0
    splits = any(image.split for image in sparse.images)
    for index, name in enumerate(sorted(files)):
        image = images[name]
        held_out = image.split == "test" if splits else index % HOLD_OUT_EVERY == 0
        lens, has_alpha = _lens_of_file(files[name], sparse.lenses[image.camera_id])
        with_alpha += has_alpha
        if undistorted or lens.is_pinhole:
            camera, lens = Camera(lens.K, image.cam_from_world, lens.width, lens.height), None
        else:
            camera = undistorted_camera(lens, image.cam_from_world)
        camera = _shrunk(camera, data_factor // shrunk, name)
        split = "test" if held_out and not train_on_all else "train"
        seen = sparse.seen_by.get(image.image_id)
        mask = path / image.mask if image.mask else masks.get(name)
        means = alpha if has_alpha else None
        shown, file = printable(name), files[name]
        views.append(View(shown, camera, file, split, lens, seen, mask, invert_masks, means))
    if with_alpha:
        notes.append(f"{with_alpha} photos have an alpha channel: {_ALPHA_MEANS[alpha]}")
    if warped := Counter(view.lens.model.name for view in views if view.lens):
        listed = ", ".join(f"{number} {name}" for name, number in sorted(warped.items()))
        notes.append(f"photos are undistorted as COLMAP does: {listed}")
        flat_photos.tidy()
    name = source.stem if is_archive(source) else path.resolve().name
    rule = f"as {sparse.path.name} says" if splits else Scene.rule
    scene = Scene(name, path, tuple(views), sparse.points, tuple(notes), rule=rule)
    return with_points(recentred(with_masks(scene)))


def inner_split(scene: Scene) -> Scene:
    """The scene without its test views, every 8th of its training views held out instead.

    For choosing defaults, which the real test views must not see.
    """
    views = tuple(
        replace(view, split="train" if index % HOLD_OUT_EVERY else "test")
        for index, view in enumerate(scene.train)
    )
    return replace(scene, views=views, rule="every 8th of the training photos")


def _lens_of_file(path: Path, lens: Lens) -> tuple[Lens, bool]:
    """The lens at the size that the file really has, and whether the file has an alpha channel."""
    width, height, alpha = photo_size(path)
    if (width, height) == (lens.width, lens.height):
        return lens, alpha
    expected = height * lens.width / lens.height
    if abs(width - expected) > max(0.05 * expected, 1.5):  # sizes of shrunk photos are rounded
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
