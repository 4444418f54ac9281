"""The reconstruction of a scene folder: a COLMAP model, or transforms.json."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from data.colmap import find_models, read_model
from data.errors import UserError
from data.sparse_model import SparseModel
from data.transforms import find_transforms, read_transforms


def has_model(path: Path) -> bool:
    """Whether a folder holds cameras."""
    return bool(find_models(path) or find_transforms(path))


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
            "in sparse/0/, or a transforms.json: run COLMAP on the photos first"
        )
    if not model.images:
        raise UserError(f"{model.path}: found no registered images; run COLMAP's mapper again")
    names = Counter(image.name for image in model.images)
    if repeated := [name for name, number in names.items() if number > 1]:
        raise UserError(f"{model.path}: photo {repeated[0]} is registered twice; export it anew")
    return model, notes
