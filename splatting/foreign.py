"""Splats in the formats of other programs, read and written by gaussforge: .spz, .splat, .ksplat,
compressed .ply. All of them hold Gaussians.

gaussforge copies numbers between formats as they are; .spz has y up and z back by definition
(Niantic's RUB), so splats are turned on the way in and out.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import UserError
from data.whole_files import replacing
from splatting.export import load_ply, save_ply
from splatting.half_turn import half_turn
from splatting.splats import Splats

ENDINGS = {".compressed.ply": "compressed.ply", ".splat": "splat", ".ksplat": "ksplat",
           ".spz": "spz"}  # fmt: skip
"""gaussforge's names of what it reads."""
_HALF_TURNED = {"spz"}
_SPZ_LARGEST, _SPZ_GRID = 2047.0, 1.0 / 4096.0
"""Positions of .spz have 24 bits, 12 of them after the point; others would be cut silently."""


def format_of(path: str | Path) -> str | None:
    """gaussforge's name for a file of this name; None for a .ply and anything else."""
    name = str(path).lower()
    return next((known for ending, known in ENDINGS.items() if name.endswith(ending)), None)


def stored_format(path: Path) -> str | None:
    """`format_of` a file that exists; a compressed .ply may be called .ply alone."""
    known = format_of(path)
    if known is None and path.suffix.lower() == ".ply" and path.is_file():
        with open(path, "rb") as stream:
            header = stream.read(1 << 12).partition(b"end_header")[0]
        known = "compressed.ply" if b"packed_position" in header else None
    return known


def load_foreign(path: str | Path) -> Splats:
    """Read a file of another program; UserError for one that is broken."""
    path = Path(path)
    known = stored_format(path)
    if known is None:
        raise UserError(f"{path}: expected a name that ends in {', '.join(ENDINGS)}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: expected a readable file, found: {error.strerror}") from None
    converted = _convert(path, content, known, "ply")
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "splats.ply"
        plain.write_bytes(converted)
        try:
            splats = load_ply(plain, saturated=True)
        except UserError as error:
            raise UserError(str(error).replace(str(plain), str(path))) from None
    return half_turn(splats) if known in _HALF_TURNED else splats


def save_foreign(path: str | Path, splats: Splats) -> None:
    """Write a file of another program, by its ending; it appears whole or not at all."""
    path, known = Path(path), format_of(path)
    if known is None:
        raise UserError(f"{path}: expected a name that ends in {', '.join(ENDINGS)}")
    if known == "spz":
        _check_fits_spz(path, splats)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "splats.ply"
        save_ply(plain, half_turn(splats) if known in _HALF_TURNED else splats)
        content = _convert(path, plain.read_bytes(), "ply", known)
    with replacing(path) as draft:
        draft.write_bytes(content)


def _check_fits_spz(path: Path, splats: Splats) -> None:
    farthest = float(np.abs(splats.means).max())
    usual = float(np.exp(np.median(splats.log_scales.max(axis=1))))
    if farthest > _SPZ_LARGEST or usual < _SPZ_GRID:
        raise UserError(
            f"{path}: expected coordinates up to {_SPZ_LARGEST:g} and splats larger than the grid"
            f" of this format (1/4096), found coordinates up to {farthest:.4g} and sigmas of"
            f" {usual:.2g}; choose another --scale, or .ply"
        )


def _convert(path: Path, content: bytes, source: str, target: str) -> bytes:
    try:
        import gaussforge
    except ImportError as error:
        raise UserError(
            f"{path}: expected the package gaussforge, which knows this format, found: {error}; "
            "pip install 'darb3d[formats]', or use .ply"
        ) from None
    with _silent():
        result: dict[str, Any] = gaussforge.GaussForge().convert(content, source, target)
    if "error" in result:
        raise UserError(f"{path}: expected a file of splats, found one broken ({result['error']})")
    return bytes(result["data"])


@contextmanager
def _silent() -> Iterator[None]:
    """gaussforge's C++ writes lines of its own to standard output, where JSON may be expected."""
    library = ctypes.CDLL(None) if os.name == "posix" else None
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        if library is not None:
            library.fflush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
