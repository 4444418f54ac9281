"""The user's cache folder: what can be made again, kept for the next time, within a limit."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path


def folder() -> Path:
    """Darb3D's folder in the user's cache; `DARB3D_CACHE` names another."""
    if chosen := os.environ.get("DARB3D_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "darb3d"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "darb3d"


def keep_below(place: Path, limit_bytes: float) -> None:
    """Delete the files below `place` that were used longest ago until the rest fits."""
    found = []
    for path in place.rglob("*"):
        with suppress(OSError):  # another program may be tidying too
            if path.is_file():
                facts = path.stat()
                found.append((facts.st_mtime, facts.st_size, path))
    held = sum(size for _, size, _ in found)
    for _, size, path in sorted(found, key=lambda entry: entry[0]):
        if held <= limit_bytes:
            break
        with suppress(OSError):
            path.unlink()
            held -= size
