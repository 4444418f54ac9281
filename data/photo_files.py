"""Which file on disk belongs to which photo of a model: folders, names, suffixes, case."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from data.errors import UserError, printable

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".gif"}
UNREAD_SUFFIXES = {".heic", ".heif", ".avif", ".jxl", ".jp2", ".dng", ".cr2", ".cr3", ".nef",
                   ".arw", ".raf", ".orf", ".rw2"}  # fmt: skip
"""Photos of phones and cameras that neither Pillow nor COLMAP decodes everywhere."""
PHOTO_FOLDERS = ("images", "input", "dense/images", "dense/0/images", ".")
NO_PHOTOS = {"masks", "__MACOSX", "@eaDir"}
"""Folders whose pictures are no photos: masks, and what systems keep beside files."""


def photo_folder(path: Path) -> Path:
    """Where the photos of a scene without a model lie: in `path` itself, else in the first usual
    folder that has any; images_2/ beside images/ would hold them twice."""
    direct = any(_suffix(file.name) in PHOTO_SUFFIXES for file in path.iterdir())
    folders = () if direct else (path / place for place in PHOTO_FOLDERS)
    return next((folder for folder in folders if photos_below(folder)), path)


def find_photos(
    path: Path, names: list[str], data_factor: int, prefer_bent: bool = False
) -> tuple[dict[str, Path], int, list[str]]:
    """Files by registered name, from the folder of the scene at `path` that has most; how often
    they are shrunk already: `images_4` stands in for `images` when it is asked for and holds a file
    for every name that `images` does; and notes on what is missing or left aside.

    With `prefer_bent` photos as they were taken, input/, come before those undistorted from them.
    """
    found: dict[str, str] = {}
    disk: list[str] = []
    place, seen, ambiguous = "", "", None
    folders = ("input", *PHOTO_FOLDERS) if prefer_bent else PHOTO_FOLDERS
    for folder in folders:
        listed = photos_below(path / folder)
        seen = seen or (f"{listed[0]} in {path / folder}" if listed else "")
        if folder == "." and found:
            break  # what folders below hold besides is no photo of theirs
        try:
            matched = match_names(names, listed)
        except UserError as error:
            ambiguous = ambiguous or UserError(f"{path / folder}: {error}")
            continue
        if len(matched) > len(found):
            found, disk, place = matched, listed, folder
    if not found and ambiguous:
        raise ambiguous
    if not seen:
        raise UserError(
            f"{path}: found no photos; expected them in {path / 'images'}{_why_none(path)}"
        )
    if not found:
        raise UserError(
            f"{path}: none of the {len(names)} registered photos is on disk (looking for "
            f"{names[0]}, found {seen}); copy them to {path / 'images'}"
        )
    notes = []
    if missing := [name for name in names if name not in found]:
        of_all = f"{len(missing)} of {len(names)}"
        notes.append(f"{of_all} registered photos are not on disk: {some_of(missing)}")
    known = {_stem(name) for name in names}  # also in the folders of photos that are shrunk
    taken = set(found.values())
    if strangers := [file for file in disk if file not in taken and _stem(file) not in known]:
        notes.append(f"{len(strangers)} photos are not in the model: {some_of(strangers)}")
    files = {name: path / place / file for name, file in found.items()}
    shrunk = path / f"{place}_{data_factor}"
    if data_factor > 1 and place != "." and shrunk.is_dir():
        try:
            smaller = match_names(names, photos_below(shrunk))
        except UserError as error:
            raise UserError(f"{shrunk}: {error}") from None
        if smaller.keys() >= files.keys():
            notes.append(f"photos are taken from {shrunk.name}/, where they are shrunk already")
            return {name: shrunk / file for name, file in smaller.items()}, data_factor, notes
    return files, 1, notes


def _why_none(path: Path) -> str:
    """What may be said of a scene without photos: they are of a kind that is not read, or lie
    beside the model that was named in place of the scene."""
    if unread := unread_photos(path):
        return f"; {unread}"
    for above in list(path.resolve().parents)[:3]:
        if photos_below(above / "images"):
            return f"; those in {above / 'images'} need the scene {above}"
    return ""


def unread_photos(folder: Path) -> str:
    """What to do about the photos below a folder that no reader knows; nothing without any."""
    unread = [name for name in _files_below(folder) if _suffix(name) in UNREAD_SUFFIXES]
    if not unread:
        return ""
    kinds = ", ".join(sorted({_suffix(name) for name in unread}))
    return f"{len(unread)} photos are {kinds}, which is not read: convert them to .jpg"


def find_masks(path: Path, files: dict[str, Path]) -> tuple[dict[str, Path], list[str]]:
    """The mask file of each photo that has one: in `masks/` of the scene at `path`, called as the
    photo with .png in place of its suffix or behind it, or `PHOTO.mask.png` beside the photo; and
    a note if all in `masks/` are called otherwise."""
    folder = path / "masks"
    listed = photos_below(folder)
    disk: dict[str, Path] = {}
    for mask in listed:
        disk.setdefault(_without_suffix(mask), folder / mask)
    found = {}
    for name, file in files.items():
        beside = (file.with_name(f"{file.name}.mask.png"), file.with_suffix(".mask.png"))
        mask = disk.get(_folded(name)) or disk.get(_without_suffix(name))
        mask = mask or next((other for other in beside if other.is_file()), None)
        if mask is not None:
            found[name] = mask
    if listed and not found:
        name = next(iter(files))
        return {}, [
            f"none of the {len(listed)} files in masks/ fits a photo: expected "
            f"{some_of([f'{name}.png'])} for {some_of([name])}, found {some_of(listed[:1])}"
        ]
    return found, []


def match_names(names: list[str], disk: list[str]) -> dict[str, str]:
    """The file on disk for each registered name that has one.

    By relative path, then by path without suffix, ignoring case; and by base name and stem where
    no folder agrees at all. Raises `UserError` where a name fits several files.
    """
    exact = set(disk)
    found = {name: name for name in names if name in exact}
    for key in (_folded, _without_suffix, _base, _stem):
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


def some_of(names: list[str], most: int = 5) -> str:
    """The first of `names`, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return printable(", ".join(names[:most])) + more


def _folded(name: str) -> str:
    """Without case, and with accents as one character: macOS stores them as two."""
    return unicodedata.normalize("NFC", name).casefold()


def _without_suffix(name: str) -> str:
    return _folded(os.path.splitext(name)[0])


def _base(name: str) -> str:
    return _folded(name.rsplit("/", 1)[-1])


def _stem(name: str) -> str:
    return _without_suffix(_base(name))


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def photos_below(folder: Path) -> list[str]:
    """Names of the photos in and below a folder, relative to it, sorted; none without it."""
    photos = (name for name in _files_below(folder) if _suffix(name) in PHOTO_SUFFIXES)
    return sorted(name for name in photos if not name.endswith(".mask.png"))


def _files_below(folder: Path) -> Iterator[str]:
    """Relative names of the files below a folder, through links, without hidden ones; none where
    there is no folder, PermissionError for one that may not be looked into."""

    def refuse(error: OSError) -> None:
        if isinstance(error, PermissionError) and error.filename == str(folder):
            raise error

    for base, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        here = os.path.join(os.path.realpath(base), "")

        def leads_down(name: str, base: str = base, here: str = here) -> bool:
            # a link to a folder above would be walked without end
            return not here.startswith(os.path.join(os.path.realpath(os.path.join(base, name)), ""))

        if "config.json" in files and "metrics.jsonl" in files:  # a run: its pictures are drawn
            folders.clear()
            continue
        visible = (f for f in folders if f not in NO_PHOTOS and not f.startswith("."))
        folders[:] = [f for f in visible if leads_down(f)]
        below = Path(base).relative_to(folder)
        yield from ((below / f).as_posix() for f in files if not f.startswith("."))
