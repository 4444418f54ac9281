"""Undistorted photos, kept in the user's cache: undistorting takes longer than all the rest of
loading, and gives the same every time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import UInt16

from data import user_cache

LIMIT_BYTES = 4e9
_VERSION = b"1"
"""Of what `make` does: another one forgets what was kept."""

Pixels = UInt16[np.ndarray, "h w 3"]


def kept(file: Path, how: str, make: Callable[[], Pixels]) -> Pixels:
    """What `make` gives for the content of `file` and the way `how`, from the cache if it is
    there; a cache that cannot be used costs time alone."""
    digest = hashlib.sha256(_VERSION + how.encode())
    try:
        digest.update(file.read_bytes())
        place = user_cache.folder() / "photos" / f"{digest.hexdigest()[:32]}.npy"
        pixels = np.load(place, allow_pickle=False)
        os.utime(place)  # what is used last is deleted last
        if pixels.dtype == np.uint16 and pixels.ndim == 3:
            return pixels
    except (OSError, ValueError, EOFError):
        pass
    pixels = make()
    with suppress(OSError, UnboundLocalError):
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_name(f".{place.stem}.{os.getpid()}.npy")
        try:
            np.save(draft, pixels)
            os.replace(draft, place)
        finally:
            draft.unlink(missing_ok=True)
    return pixels


def tidy() -> None:
    """Keep the cache within its limit."""
    with suppress(OSError):
        user_cache.keep_below(user_cache.folder() / "photos", LIMIT_BYTES)
