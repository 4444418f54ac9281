"""Arrays on disk: safetensors files with text beside them, written whole or not at all.

A file is untrusted: no pickle, and no number that is not finite.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import UserError


def write_arrays(
    path: str | Path, arrays: Mapping[str, np.ndarray], text: Mapping[str, str]
) -> None:
    """Write arrays and text; a crash in the middle leaves the previous file."""
    from safetensors.numpy import save

    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    whole = {name: np.ascontiguousarray(a).reshape(np.shape(a)) for name, a in arrays.items()}
    try:
        with open(draft, "wb") as stream:
            stream.write(save(whole, dict(text)))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def read_arrays(path: str | Path, expected: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and text of a file of the format `expected`; UserError for anything else, and for
    numbers that are not finite."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as file:
            text = file.metadata() or {}
            arrays = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: expected a safetensors file of darb3d, found: {error}; save or fetch it again"
        ) from None
    if text.get("format") != expected:
        raise UserError(f"{path}: expected the format {expected}, found {text.get('format')}")
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UserError(f"{path}: expected finite numbers, found others in {name}")
    return arrays, text


def json_object(path: str | Path, text: Mapping[str, str], name: str) -> dict[str, Any]:
    """The JSON object in the text `name` of a file; UserError where there is none."""
    try:
        content = json.loads(text.get(name, ""))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: expected JSON in `{name}`, found: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected an object in `{name}`, found {type(content).__name__}")
    return content
