"""Clouds as tables of text: a point a line, after it whatever else a program writes."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from data.cloud_columns import by_name, by_place
from data.clouds import PointCloud
from data.errors import UserError

_COMMENTS = ("#", "//")
_HEAD_BYTES = 1 << 16


def read(path: Path) -> PointCloud:
    """x, y, z first, or a line of names that says where they are; commas, semicolons, tabs or
    spaces between. A count alone in the first line (.pts) is passed over."""
    names, delimiter, skipped = _layout(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of no rows, which is said below
            rows = np.loadtxt(
                path,
                ndmin=2,
                comments=_COMMENTS,
                delimiter=delimiter,
                skiprows=skipped,
                encoding="utf-8-sig",
            )
    except (ValueError, OverflowError) as error:
        found = str(error).partition(";")[0]
        raise UserError(
            f"{path}: expected rows `x y z [r g b]` of numbers, found: {found}"
        ) from None
    if not rows.size:
        raise UserError(f"{path}: expected rows `x y z [r g b]` of numbers, found none")
    if names is not None and len(names) == rows.shape[1]:
        return by_name({name: rows[:, k] for k, name in enumerate(names)}, path)
    # x y z intensity r g b is how a .pts has it
    intensity = path.suffix.lower() == ".pts" and rows.shape[1] == 7
    return by_place(rows, path, first_colour=4 if intensity else 3)


def _layout(path: Path) -> tuple[list[str] | None, str | None, int]:
    """Names of the columns if a line gives them, what is between numbers (None: blanks), and how
    many lines come before the first row."""
    with open(path, "rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if b"\0" in head:
        raise UserError(f"{path}: expected rows `x y z [r g b]` of text, found binary data")
    lines = head.decode("utf-8-sig", "replace").splitlines()
    names = None
    for number, line in enumerate(lines):
        bare = line.strip()
        for sign in _COMMENTS:
            bare = bare.removeprefix(sign)
        words = bare.replace(",", " ").replace(";", " ").split()
        named = [word.lower() for word in words]
        if {"x", "y", "z"} <= set(named):
            names = named
            continue
        if not words or bare != line.strip() or (len(words) == 1 and number == 0):
            continue
        return names, next((sign for sign in ",;" if sign in line), None), number
    return names, None, len(lines)
