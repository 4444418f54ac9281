"""What a path holds by what is in the file: splats, a cloud of points, a motion, 2D keypoints."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Literal

from data import clouds, keypoints, motion_files
from data.errors import UserError

Kind = Literal["splats", "cloud", "motion", "keypoints"]

SPLATS = (".splat", ".spz", ".ksplat")
_OF_SPLATS = re.compile(rb"property\s+\w+\s+(f_dc_0|packed_position|opacity)\s")


def kind_of(path: Path) -> Kind:
    """By the file's header where its ending leaves a choice; UserError for other files."""
    ending = path.suffix.lower()
    if path.is_dir():
        return "motion" if _holds_motions(path) else "splats"
    if not path.exists():
        raise UserError(f"{path}: expected a run folder or a file to show, found nothing")
    if ending == ".ply":
        return "splats" if _OF_SPLATS.search(_head(path)) else "cloud"
    if ending == ".glb":
        from data.animated_glb import is_animated

        return "motion" if is_animated(path) else "splats"
    if ending == ".npz":
        members = _members(path)
        if "xy.npy" in members and "xyz.npy" not in members:
            return "keypoints"
        return "motion" if {"xyz.npy", "names.npy"} <= members else "cloud"
    if ending in SPLATS:
        return "splats"
    if ending in motion_files.READ:
        return "motion"
    if ending in clouds.READ:
        return "cloud"
    if ending in keypoints.READ:
        return "keypoints"
    known = sorted({".ply", ".glb", *SPLATS, *motion_files.READ, *clouds.READ, *keypoints.READ})
    raise UserError(
        f"{path}: expected a run folder, splats, a cloud of points, a motion or 2D keypoints "
        f"({', '.join(known)}), found {ending or 'a file without an ending'}"
    )


def _holds_motions(folder: Path) -> bool:
    """Whether a folder is one of motions and not of a run."""
    names = [entry.name.lower() for entry in folder.iterdir()]
    if any(name.endswith((".ply", ".safetensors", ".json")) for name in names):
        return False
    return any(name.endswith(motion_files.READ) for name in names)


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(1 << 16).partition(b"end_header")[0]
    except OSError as error:
        raise UserError(f"{path}: expected a readable file, found: {error.strerror}") from None


def _members(path: Path) -> set[str]:
    """Names in a zip; none where it is none, which its reader will say."""
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return set()
