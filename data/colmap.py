"""COLMAP models: where they lie in a folder, and one of them read whole.

Of images only poses are read, of points positions, colours and which images observe them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from data import colmap_binary, colmap_text
from data.clouds import PointCloud
from data.errors import UserError
from data.sparse_model import Points, SparseModel

STEMS = ("cameras", "images", "points3D")
BENT = "distorted/sparse"
"""Where 3DGS's converter keeps the model of the photos as they were taken."""
PLACES = ("sparse", "sparse_txt", "colmap/sparse", "dense/sparse", "dense/0/sparse", "model",
          BENT, ".")  # fmt: skip
"""Folders of a scene where models lie, directly or in numbered sub-folders, in order of search."""


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


def read_model(path: str | Path) -> SparseModel:
    """The model in folder `path`; the binary files are preferred where both kinds are there.

    A model may lack its points, which `notes` then say. Raises `UserError` for files that are
    missing, cut short or not COLMAP's.
    """
    path = Path(path)
    files = {stem: file for stem in STEMS if (file := _file(path, stem)) is not None}
    for stem in ("cameras", "images"):
        if stem not in files:
            raise UserError(
                f"{path}: expected {stem}.bin or {stem}.txt, found neither; copy the complete model"
            )
    notes = []
    lenses = _read(files["cameras"], colmap_binary.cameras, colmap_text.cameras)
    images = _read(files["images"], colmap_binary.images, colmap_text.images)
    if "points3D" in files:
        points = _read(files["points3D"], colmap_binary.points, colmap_text.points)
    else:
        points = Points.of(PointCloud(np.empty((0, 3))))
        notes.append(f"there is no points3D.bin or points3D.txt in {path.name}/")
    for image in images:
        if image.camera_id not in lenses:
            raise UserError(
                f"{files['images']}: image {image.name} uses camera {image.camera_id}, found only "
                f"cameras {sorted(lenses)[:5]} in {files['cameras'].name}; the files belong to "
                "different models"
            )
    finite = points.finite()
    if left_out := len(points.cloud) - len(finite.cloud):
        notes.append(f"{left_out} points of the model were not finite and are left out")
    return SparseModel(path, lenses, tuple(images), finite.cloud, finite.seen_by(), tuple(notes))


def _read(file: Path, binary: Callable, text: Callable) -> Any:
    try:
        if file.suffix == ".txt":
            return text(file)
        with colmap_binary.MappedFile(file) as data:
            return binary(data)
    except OSError as error:
        raise UserError(f"{file}: expected a readable file, found: {error.strerror}") from None


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
            return len(colmap_text.images(file))
        except UserError:
            return 0
    return colmap_binary.announced(file)
