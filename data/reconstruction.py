"""The reconstruction of a scene folder: a COLMAP model, or transforms.json."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

from data.colmap import find_models, read_model
from data.errors import UserError
from data.photo_files import PHOTO_FOLDERS, unread_photos
from data.sparse_model import SparseModel
from data.transforms import find_transforms, read_transforms

_LOOKED_INTO = 500
"""Sub-folders in which a model is looked for."""


def has_model(path: Path) -> bool:
    """Whether a folder holds cameras."""
    return bool(find_models(path) or find_transforms(path))


def scene_near(path: Path) -> Path | None:
    """A folder with a model in or above a folder that has none: one of its sub-folders, or theirs,
    or the parent of images/."""
    if path.name.lower() in PHOTO_FOLDERS and has_model(path.resolve().parent):
        return path.parent
    below = (folder for depth in ("*", "*/*") for folder in sorted(path.glob(depth)))
    folders = (folder for folder in below if folder.is_dir() and not folder.name.startswith("."))
    return next(filter(has_model, islice(folders, _LOOKED_INTO)), None)


def _where_else(path: Path) -> str:
    if near := scene_near(path):
        return f"there is one for {near}, name that folder"
    return unread_photos(path) or "run COLMAP on the photos first"


def find_model(path: Path) -> tuple[SparseModel, list[str]]:
    """The model of the scene at `path` and what to tell of the choice; UserError without one."""
    if not path.is_dir():
        found = "a file" if path.exists() else "nothing"
        raise UserError(f"{path}: expected a folder with a COLMAP scene, found {found}")
    if not any(path.iterdir()):
        raise UserError(
            f"{path}: the folder is empty; expected photos in images/ and a COLMAP model in sparse/"
        )
    notes = []
    if models := find_models(path):
        model = read_model(models[0])
        if len(models) > 1:
            others = ", ".join(str(other.relative_to(path)) for other in models[1:])
            notes.append(
                f"{len(models)} models: using {models[0].relative_to(path)} with the most images "
                f"({len(model.images)}), leaving {others}"
            )
    elif transforms := find_transforms(path):
        model = read_transforms(transforms)
    else:
        raise UserError(
            f"{path}: found no COLMAP model; expected cameras, images and points3D (.bin or .txt) "
            f"in sparse/0/, or a transforms.json: {_where_else(path)}"
        )
    if not model.images:
        raise UserError(f"{model.path}: found no registered images; run COLMAP's mapper again")
    names = Counter(image.name for image in model.images)
    if repeated := [name for name, number in names.items() if number > 1]:
        raise UserError(f"{model.path}: photo {repeated[0]} is registered twice; export it anew")
    return model, notes
