"""HDF5 files of unknown origin: opened in one place, read with a bound on memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.errors import UserError

if TYPE_CHECKING:
    import h5py

_MOST_BYTES = 2_000_000_000
_LARGEST_RATIO = 1_100
"""Deflate does not shrink by more: a data set that claims to was never stored."""
_FREE_BYTES = 1_000_000
"""Below this any ratio is harmless."""


@contextmanager
def open_hdf(path: Path) -> Iterator[h5py.File]:
    """The file; UserError for one that is broken, and where h5py is not installed."""
    try:
        import h5py
    except ImportError:
        raise UserError(
            f"{path}: expected h5py to read this format, found it missing; pip install"
            " 'darb3d[keypoints]'"
        ) from None
    try:
        with h5py.File(path, "r") as file:
            yield file
    except UserError:
        raise
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, MemoryError) as error:
        # h5py raises any of these for a spoilt file, on opening and on reading
        raise UserError(f"{path}: expected a whole HDF5 file, found: {error}") from None


def array_of(file: Any, name: str, path: Path) -> np.ndarray:
    """A data set's content, checked before it is read."""
    import h5py

    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise UserError(f"{path}: expected a data set {name}, found none")
    size = int(np.prod(found.shape, dtype=object) or 0) * found.dtype.itemsize
    stored = found.id.get_storage_size()
    if size > min(_MOST_BYTES, max(_FREE_BYTES, _LARGEST_RATIO * stored)):
        raise UserError(
            f"{path}: expected a data set {name} about as large as its file, found one of"
            f" {size:,} bytes in {stored:,}"
        )
    return np.asarray(found[()])


def texts(array: np.ndarray) -> list[str]:
    """Bytes or texts of any HDF5 kind, as texts."""
    return [
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        for value in np.asarray(array).ravel().tolist()
    ]
