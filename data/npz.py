"""Arrays out of an .npz or .npy of unknown origin: no pickles, no more memory than it is worth."""

from __future__ import annotations

import io
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from data.errors import UserError

LIMIT_BYTES = 2_000_000_000
_LARGEST_RATIO = 200
"""Measured numbers do not shrink so much: what does is made to fill memory."""
_FREE_BYTES = 1_000_000
"""Below this any ratio is harmless."""
_OF_ARRAYS = (
    ValueError,
    SyntaxError,
    tokenize.TokenError,
    OverflowError,
    RecursionError,
    MemoryError,
)
"""What numpy makes of a broken header."""


def read_arrays(path: str | Path, limit_bytes: int = LIMIT_BYTES) -> dict[str, np.ndarray]:
    """Arrays by name; UserError for a file that is missing, broken, too large or holds objects."""
    path = Path(path)
    try:
        size = path.stat().st_size
        left = min(limit_bytes, max(_FREE_BYTES, _LARGEST_RATIO * size))
        arrays: dict[str, np.ndarray] = {}
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                with archive.open(member) as stream:
                    content = _bounded(stream, left)
                left -= len(content)
                arrays[member.filename.removesuffix(".npy")] = _array(content)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise UserError(f"{path}: expected an .npz file, found none") from None
    except (
        OSError,
        *_OF_ARRAYS,
        EOFError,
        RuntimeError,
        NotImplementedError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise UserError(
            f"{path}: expected an .npz archive of arrays, found a broken one ({error}); write or "
            "download it again"
        ) from None
    return arrays


def read_array(path: Path) -> np.ndarray:
    """The array of an .npy; UserError for a broken one, or one of objects."""
    try:
        return _array(path.read_bytes())
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except _OF_ARRAYS as error:
        raise UserError(
            f"{path}: expected an .npy array, found a broken one ({error}); write or download it"
            " again"
        ) from None


def _bounded(stream: IO[bytes], left: int) -> bytes:
    """All of a member; in pieces, because a member's stated size proves nothing."""
    pieces, total = [], 0
    while piece := stream.read(1 << 16):
        total += len(piece)
        if total > left:
            raise UserError("expected arrays about as large as their file, found much larger ones")
        pieces.append(piece)
    return b"".join(pieces)


def _array(content: bytes) -> np.ndarray:
    """One .npy, whose shape may not promise more than there is."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"arrays of format {version}")
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    else:
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    if dtype.hasobject:
        raise UserError("expected arrays of numbers and text, found one of objects")
    start, count = stream.tell(), 1
    for length in shape:
        count *= length
    if dtype.itemsize == 0 or count < 0 or count * dtype.itemsize != len(content) - start:
        raise ValueError(f"an array of shape {shape} in {len(content) - start} bytes")
    flat = np.frombuffer(content, dtype, count, start)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
