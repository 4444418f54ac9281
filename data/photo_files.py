"""Which file on disk belongs to which photo of a model: folders, names, suffixes, case."""

from __future__ import annotations

import os
from pathlib import Path

from data.errors import UserError

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".gif"}
PHOTO_FOLDERS = ("images", "input", "dense/images", "dense/0/images", ".")


def find_photos(path: Path, names: list[str], data_factor: int) -> tuple[dict[str, Path], int]:
    """Files by registered name, from the first folder of the scene at `path` that has any, and how
    often they are shrunk already: `images_4` stands in for `images` when it is asked for and holds
    a file for every name that `images` does."""
    found: dict[str, str] = {}
    seen_any = False
    folder = path
    for folder in (path / place for place in PHOTO_FOLDERS):
        disk = photos_below(folder)
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
    shrunk = folder.with_name(f"{folder.name}_{data_factor}")
    if data_factor > 1 and folder.name and shrunk.is_dir():
        smaller = match_names(names, photos_below(shrunk))
        if smaller.keys() >= files.keys():
            return {name: shrunk / file for name, file in smaller.items()}, data_factor
    return files, 1


def find_masks(path: Path, files: dict[str, Path]) -> dict[str, Path]:
    """The mask file of each photo that has one: in `masks/` of the scene at `path`, called as the
    photo with .png in place of its suffix or behind it, or `PHOTO.mask.png` beside the photo."""
    folder = path / "masks"
    disk: dict[str, Path] = {}
    for mask in photos_below(folder):
        disk.setdefault(_without_suffix(mask), folder / mask)
    found = {}
    for name, file in files.items():
        beside = (file.with_name(f"{file.name}.mask.png"), file.with_suffix(".mask.png"))
        mask = disk.get(name.casefold()) or disk.get(_without_suffix(name))
        mask = mask or next((other for other in beside if other.is_file()), None)
        if mask is not None:
            found[name] = mask
    return found


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


def photos_below(folder: Path) -> list[str]:
    """Names of the photos in and below a folder, relative to it, sorted; none without it."""
    names = []
    for base, folders, files in os.walk(folder):
        below = Path(base).relative_to(folder)
        folders[:] = [f for f in folders if f != "masks"]
        photos = (f for f in files if Path(f).suffix.lower() in PHOTO_SUFFIXES)
        names += [(below / f).as_posix() for f in photos if not f.endswith(".mask.png")]
    return sorted(names)
