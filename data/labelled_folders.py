"""Folders that are classes, as people and data sets have them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from data.clouds import READ
from data.errors import UserError

PARTS = ("train", "test", "val", "valid", "validation")
"""Folders that hold a part of a data set, not a class."""


def labelled_folders(path: Path, rows: Literal["train", "test"]) -> dict[str, list[Path]]:
    """Files of clouds and meshes by class: DATA/class/..., DATA/class/train/... (ModelNet) or
    DATA/train/class/...; where there are such parts, only those of `rows`.

    Hidden files and those of other kinds are passed over. UserError for a class without files, and
    for test rows where nothing is marked as such.
    """
    folders = _folders(path)
    if any(folder.name.lower() in PARTS for folder in folders):
        folders = [inner for part in _parts(folders, rows, path) for inner in _folders(part)]
        split = True
    else:
        split = any(inner.name.lower() in PARTS for f in folders for inner in _folders(f))
    if rows == "test" and not split:
        raise UserError(f"{path}: expected folders called test, found none; name another folder")
    found = {}
    for folder in folders:
        inner = _folders(folder)
        marked = any(one.name.lower() in PARTS for one in inner)
        places = _parts(inner, rows, folder) if marked else [folder]
        files = [file for place in places for file in _files(place)]
        if not files:
            raise UserError(f"{folder}: expected point-cloud files of the class, found none")
        found.setdefault(folder.name, []).extend(files)
    return found


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _parts(folders: list[Path], rows: str, where: Path) -> list[Path]:
    """Those of `folders` that hold `rows`."""
    found = [folder for folder in folders if folder.name.lower() == rows]
    if not found:
        raise UserError(
            f"{where}: expected a folder {rows} beside {folders[0].name}, found none; rename one"
        )
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in READ
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
