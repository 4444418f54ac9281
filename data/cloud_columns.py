"""Columns of numbers as a cloud: by the names that programs give them, or by their place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from data.clouds import PointCloud
from data.errors import UserError

_CLASSES = ("label", "class", "classification", "scalar_Label", "scalar_Classification")
_COLOURS = (
    ("red", "green", "blue"),
    ("diffuse_red", "diffuse_green", "diffuse_blue"),
    ("r", "g", "b"),
)
_NORMALS = (("nx", "ny", "nz"), ("normal_x", "normal_y", "normal_z"))


def by_name(columns: Mapping[str, np.ndarray], path: Path) -> PointCloud:
    """x, y, z and what else is known by its name; UserError where one of the three is missing."""
    if any(name not in columns for name in "xyz"):
        raise UserError(
            f"{path}: expected vertex properties x, y, z, found {', '.join(columns) or 'none'}"
        )

    def three(names: tuple[str, ...]) -> np.ndarray | None:
        there = all(name in columns for name in names)
        return np.stack([columns[name] for name in names], -1) if there else None

    rgb = next((c for c in map(three, _COLOURS) if c is not None), None)
    normals = next((c for c in map(three, _NORMALS) if c is not None), None)
    labels = next((columns[name] for name in _CLASSES if name in columns), None)
    xyz = np.stack([columns[name] for name in "xyz"], -1).astype(np.float64)
    return PointCloud(
        xyz,
        None if rgb is None else colour_bytes(rgb),
        None if normals is None else unit_vectors(normals),
        None if labels is None else class_numbers(labels),
    )


def by_place(rows: np.ndarray, path: Path, first_colour: int = 3) -> PointCloud:
    """x, y, z and, of six columns or more, what looks like colours and like unit vectors.

    Three columns are colours if all are whole numbers from 0 to 255 or fractions of 1, normals if
    each row is of length 1.
    """
    if rows.ndim != 2 or rows.shape[1] < 3:
        found = f"{rows.shape[1]}" if rows.ndim == 2 else f"an array of shape {rows.shape}"
        raise UserError(f"{path}: expected at least 3 columns, found {found}")
    rgb = normals = None
    for start in range(first_colour, rows.shape[1] - 2, 3):
        three = rows[:, start : start + 3]
        if normals is None and _of_length_1(three):
            normals = unit_vectors(three)
        elif rgb is None and _like_colours(three):
            rgb = colour_bytes(three)
    return PointCloud(np.asarray(rows[:, :3], np.float64), rgb, normals)


def _of_length_1(three: np.ndarray) -> bool:
    lengths = np.linalg.norm(three, axis=1)
    known = lengths[lengths > 0]  # zero where a program knew none
    return len(known) > 0 and bool((np.abs(known - 1.0) < 0.02).all())


def _like_colours(three: np.ndarray) -> bool:
    if not np.isfinite(three).all() or not len(three) or three.min() < 0:
        return False
    whole = bool((three == np.rint(three)).all())
    return three.max() <= (255 if whole else 1)


def colour_bytes(colours: np.ndarray) -> UInt8[np.ndarray, "n 3"]:
    """Colours as bytes, whether they came as 0..255, as fractions or in sixteen bits."""
    if colours.dtype == np.uint8:
        return colours
    colours = np.nan_to_num(colours.astype(np.float64))
    largest = colours.max(initial=0.0)
    scale = 255.0 if largest <= 1.0 else 1.0 if largest <= 255.0 else 255.0 / 65535.0
    return np.clip(np.rint(colours * scale), 0, 255).astype(np.uint8)


def unit_vectors(normals: np.ndarray) -> Float64[np.ndarray, "n 3"] | None:
    """Normals of length 1, or 0 where there is none; None where there are none at all."""
    normals = np.nan_to_num(normals.astype(np.float64), posinf=0.0, neginf=0.0)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    found = np.nan_to_num(normals / np.where(lengths > 0, lengths, 1.0))
    return found if found.any() else None


def class_numbers(labels: np.ndarray) -> Int64[np.ndarray, "n"] | None:
    """Classes as whole numbers; None for numbers that are no classes."""
    rounded = np.rint(np.nan_to_num(labels.astype(np.float64), nan=-1.0))
    if (np.abs(rounded) > 1e9).any():
        return None
    return rounded.astype(np.int64)
