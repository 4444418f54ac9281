"""Scenes in a .zip: unpacked once into the user's cache, and nowhere else."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from pathlib import Path, PurePosixPath

from data import user_cache
from data.errors import UserError

LIMIT_BYTES = 20e9
"""Of all unpacked scenes together."""
_LARGEST_RATIO = 200
"""Photos do not shrink so much: what does is made to fill a disk."""


def is_archive(path: Path) -> bool:
    """Whether the name is that of an archive we read."""
    return path.suffix.lower() == ".zip"


def unpacked(path: Path) -> Path:
    """The folder that holds the content of `path`; UserError for one that is broken or unsafe."""
    try:
        facts = path.stat()
    except OSError as error:
        raise UserError(f"{path}: expected a .zip, found: {error.strerror}") from None
    key = f"{path.resolve()}|{facts.st_size}|{facts.st_mtime_ns}"
    scenes = user_cache.folder() / "scenes"
    place = scenes / hashlib.sha256(key.encode()).hexdigest()[:16]
    if not place.is_dir():
        user_cache.keep_below(scenes, LIMIT_BYTES)
        _unpack(path, place)
    inside = [child for child in place.iterdir() if not child.name.startswith(("__MACOSX", "."))]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else place


def _unpack(path: Path, place: Path) -> None:
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(path) as archive:
            _check(path, archive)
            draft.mkdir(parents=True)
            archive.extractall(draft)
        draft.rename(place)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        raise UserError(
            f"{path}: expected a complete .zip, found one that cannot be unpacked ({error}); "
            "unpack it yourself and name the folder"
        ) from None
    except OSError as error:
        raise UserError(
            f"{path}: expected room to unpack it in {place.parent}, found: {error.strerror}"
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _check(path: Path, archive: zipfile.ZipFile) -> None:
    total = 0
    for member in archive.infolist():
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or ":" in member.filename[:3]:
            raise UserError(
                f"{path}: expected files below one folder, found {member.filename!r}; pack it anew"
            )
        total += member.file_size
    packed = sum(member.compress_size for member in archive.infolist())
    if total > _LARGEST_RATIO * max(packed, 1_000_000) or total > LIMIT_BYTES:
        raise UserError(
            f"{path}: expected a scene of at most {LIMIT_BYTES / 1e9:.0f} GB, found "
            f"{total / 1e9:.1f} GB in {packed / 1e6:.1f} MB; unpack it yourself and name the folder"
        )
