"""Which files a command's FILES, FOLDERS and GLOBS mean."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.clouds import READ
from data.errors import UserError


@dataclass(frozen=True)
class CloudPath:
    """A file to read."""

    path: Path
    root: Path | None = None
    """The folder it was found in; None if it was named."""


def cloud_paths(words: Sequence[Path]) -> list[CloudPath]:
    """Files as they are named, and all clouds and meshes in folders and below, each file once.

    Hidden files and folders are passed over. UserError for a folder or a pattern that has none.
    """
    if not words:
        raise UserError("expected files, folders or patterns of clouds, found none")
    found: dict[Path, CloudPath] = {}
    for word in words:
        for one in _of_word(word):
            found.setdefault(one.path, one)
    return list(found.values())


def _of_word(word: Path) -> list[CloudPath]:
    if word.is_dir():
        return _in_folder(word)
    if word.exists() or not glob.has_magic(str(word)):
        return [CloudPath(word)]  # its reader says what is wrong with it
    matches = [Path(match) for match in sorted(glob.glob(str(word), recursive=True))]
    files = [CloudPath(path, word.parent) for path in _readable(m for m in matches if m.is_file())]
    for folder in (match for match in matches if match.is_dir()):
        files += [one for one in _in_folder(folder, least=0)]
    if not files:
        raise UserError(f"{word}: expected clouds or meshes of this pattern, found none")
    return files


def _in_folder(folder: Path, least: int = 1) -> list[CloudPath]:
    below = (
        path
        for path in folder.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    files = [CloudPath(path, folder) for path in _readable(below) if path.is_file()]
    if len(files) < least:
        raise UserError(
            f"{folder}: expected clouds or meshes ({', '.join(READ)}) in it, found none"
        )
    return files


def _readable(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if path.suffix.lower() in READ)
