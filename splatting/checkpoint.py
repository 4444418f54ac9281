"""Splats and training states in safetensors: no pickle, one file, whole or not at all."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from data.errors import UserError
from data.whole_files import replacing
from splatting import kernels
from splatting.splats import PARAMETERS, Splats

_FORMAT = "darb3d-1"


def save_splats(path: str | Path, splats: Splats) -> None:
    """Write `splats` with their kernel."""
    save_state(path, splats.arrays(), how_to_draw(splats))


def load_splats(path: str | Path) -> Splats:
    """Read what `save_splats` or a training state holds; UserError for anything else."""
    arrays, text = load_state(path)
    try:
        return splats_of(arrays, text)
    except KeyError as missing:
        raise UserError(f"{path}: expected splats, found no {missing} in it") from None


def how_to_draw(splats: Splats) -> dict[str, str]:
    """What stands beside the arrays of `splats` in a file."""
    return {
        "kernel": splats.kernel.name,
        "kernel_description": kernels.describe(splats.kernel),
        "antialiased": str(splats.antialiased),
        "origin_world": " ".join(map(repr, splats.origin_world)),
    }


def splats_of(arrays: dict[str, np.ndarray], text: dict[str, str]) -> Splats:
    """The splats in what `load_state` read; KeyError for a missing part."""
    return Splats(
        **{name: arrays[name] for name in PARAMETERS},
        kernel=kernels.restore(text["kernel"], text.get("kernel_description", "")),
        antialiased=text.get("antialiased") == "True",
        origin_world=origin_of(text.get("origin_world", "")),
    )


def origin_of(text: str) -> tuple[float, float, float]:
    """Three numbers apart by spaces; zeros for none. UserError for anything else."""
    try:
        x, y, z = (float(word) for word in text.split() or ("0",) * 3)
    except ValueError:
        x = y = z = math.nan
    if not all(map(math.isfinite, (x, y, z))):
        raise UserError(f"expected an origin of three finite numbers, found {text!r}")
    return x, y, z


def save_state(path: str | Path, arrays: dict[str, np.ndarray], text: dict[str, str]) -> None:
    """Write arrays and text; a crash in the middle leaves the previous file."""
    from safetensors.numpy import save

    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with replacing(path) as draft:
        draft.write_bytes(save(whole, {**text, "format": _FORMAT}))


def load_state(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read what `save_state` wrote; UserError for a missing, truncated or foreign file."""
    from safetensors import SafetensorError, safe_open

    try:
        with open(path, "rb"), safe_open(str(path), framework="numpy") as file:
            text = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        found = error.strerror if isinstance(error, OSError) else error
        raise UserError(
            f"{path}: expected a safetensors file of darb3d, found: {found}; train again or use"
            " splats.ply"
        ) from None
    if text.get("format") != _FORMAT:
        raise UserError(f"{path}: expected the format {_FORMAT}, found {text.get('format')}")
    return arrays, text
