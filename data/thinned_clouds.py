"""Clouds of files as a training needs them: a few thousand points each, kept for the next time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from data import user_cache
from data.cloud_span import around_zero, span
from data.clouds import read_cloud
from data.errors import UserError
from data.npz import read_array

MOST_POINTS = 4096
"""What is kept of a larger cloud: four times what the models look at."""
LIMIT_BYTES = 4e9
_FORM = 2
"""Part of a cached file's name: goes up when clouds are read or thinned otherwise."""
_READERS = 2


def thinned_clouds(
    paths: Sequence[Path],
) -> Iterator[Float32[np.ndarray, "_ 3"] | UserError]:
    """The points of each file around 0, in its units, or why it could not be read."""
    with ThreadPoolExecutor(_READERS) as pool:
        yield from pool.map(_thinned, paths)
    with suppress(OSError):
        user_cache.keep_below(_folder(), LIMIT_BYTES)


def _thinned(path: Path) -> Float32[np.ndarray, "_ 3"] | UserError:
    try:
        place = _folder() / f"{_key(path)}.npy"
        if place.exists():
            with suppress(UserError):  # a spoilt one is made again
                return _checked(read_array(place))
        xyz = _thin(read_cloud(path).xyz)
    except UserError as error:
        return error
    except (OSError, MemoryError) as error:
        return UserError(f"{path}: expected a readable file, found: {error}")
    with suppress(OSError):  # it is a cache: without room nothing is lost
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_name(f".{place.stem}.{os.getpid()}.npy")
        np.save(draft, xyz)
        draft.replace(place)
    return xyz


def _thin(xyz: np.ndarray) -> Float32[np.ndarray, "_ 3"]:
    middle, half = span(xyz)
    if len(xyz) > MOST_POINTS:
        rows = np.random.default_rng(0).choice(len(xyz), MOST_POINTS, replace=False)
        xyz = xyz[np.sort(rows)]
    return around_zero(xyz, middle, half)


def _checked(xyz: np.ndarray) -> Float32[np.ndarray, "_ 3"]:
    good = xyz.dtype == np.float32 and xyz.ndim == 2 and xyz.shape[1] == 3 and len(xyz) > 0
    if not good or not np.isfinite(xyz).all():
        raise UserError("expected a cached cloud, found another array")
    return xyz


def _folder() -> Path:
    return user_cache.folder() / "clouds"


def _key(path: Path) -> str:
    """Of the file as it is now."""
    facts = path.stat()
    text = f"{_FORM} {path.resolve()} {facts.st_size} {facts.st_mtime_ns}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
