"""DeepLabCut's tables and those of Lightning Pose: columns under two to four rows of headers.

Headers are scorer, individuals (several animals), bodyparts, coords. Predictions have a number in
front of each row; labels a picture's name, in one column or, newer, in three. The .h5 holds the
same table. In a file of several animals, `single` carries points that belong to none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.errors import UserError
from data.keypoints import Keypoints2D, frame_numbers
from data.text_tables import number, rows_of

LEVELS = ("scorer", "individuals", "bodyparts", "coords")
_KNOWN = {"x": 0, "y": 1, "likelihood": 2}
_MOST_COLUMNS = 100_000


def read_csv(path: Path) -> list[Keypoints2D] | None:
    """The animals of a table; None for one without DeepLabCut's headers."""
    rows = rows_of(path)
    headers: dict[str, list[str]] = {}
    first: list[str] | None = None
    for row in rows:
        level = row[0].strip().lower()
        if level not in LEVELS:
            first = row
            break
        headers[level] = row
    if not headers:
        return None
    _check_levels(path, headers)
    level = headers["bodyparts"]
    lead = 1 + next((i for i, name in enumerate(level[1:]) if name.strip()), 0)
    columns = [
        (
            headers["individuals"][i].strip() if "individuals" in headers else "",
            level[i].strip(),
            headers["coords"][i].strip().lower(),
        )
        for i in range(lead, len(level))
    ]
    index, values = [], []
    for k, row in enumerate([first] if first else []):
        _take(path, row, lead, len(level), k, index, values)
    for k, row in enumerate(rows):
        _take(path, row, lead, len(level), k + 1, index, values)
    return animals(path, columns, index, np.array(values).reshape(len(index), len(columns)))


def read_h5(path: Path) -> list[Keypoints2D] | None:
    """The animals of the first table in a file of pandas; None where there is none."""
    from data.pandas_hdf import read_frame

    frame = read_frame(path)
    if frame is None:
        return None
    columns = []
    for labels in frame.columns:
        if not 2 <= len(labels) <= 4:
            raise UserError(
                f"{path}: expected columns of 2 to 4 levels ({', '.join(LEVELS)}), found"
                f" {len(labels)}"
            )
        individual = labels[1] if len(labels) == 4 else ""
        columns.append((individual, labels[-2], labels[-1].lower()))
    return animals(path, columns, frame.index, frame.values)


def animals(
    path: Path,
    columns: Sequence[tuple[str, str, str]],
    index: Sequence[tuple[str, ...]],
    values: np.ndarray,
) -> list[Keypoints2D]:
    """Tables with columns (individual, body part, coordinate) as animals, one for each individual
    and each video."""
    if any(coord == "z" for _, _, coord in columns):
        raise UserError(
            f"{path}: expected 2D points, found 3D ones (a coordinate z), which need no lifting"
        )
    places: dict[str, dict[str, dict[str, int]]] = {}
    for column, (individual, part, coord) in enumerate(columns):
        if coord not in _KNOWN:
            continue
        joint = places.setdefault(individual, {}).setdefault(part, {})
        if coord in joint:
            raise UserError(f"{path}: expected one column {coord} of {part}, found two")
        joint[coord] = column
    _check_columns(path, places)
    found = []
    for clip, rows in _clips(index).items():
        try:
            frames = frame_numbers([index[row][-1] for row in rows])
        except ValueError as error:
            raise UserError(f"{path}: {error}") from None
        for individual, parts in places.items():
            block = np.full((len(rows), len(parts), 3), np.nan)
            for joint, named in enumerate(parts.values()):
                for coord, column in named.items():
                    block[:, joint, _KNOWN[coord]] = values[rows, column]
            scored = any("likelihood" in named for named in parts.values())
            confidence = block[..., 2] if scored else np.ones(block.shape[:2])
            if scored and np.isnan(confidence).all():  # a column of the layout that nobody filled
                confidence = np.ones(block.shape[:2])
            if np.isnan(block[..., :2]).any(axis=2).all():
                continue
            several = len(_clips(index)) > 1
            found.append(
                Keypoints2D(
                    block[..., :2],
                    confidence,
                    tuple(parts),
                    frames=frames,
                    individual=individual,
                    clip=clip if several else "",
                )
            )
    return found


def _take(
    path: Path, row: list[str], lead: int, width: int, k: int, index: list, values: list
) -> None:
    if any(row[width:]):
        raise UserError(
            f"{path}: expected {width} cells in each row, as the headers have, found {len(row)} in"
            f" row {k + 1} of the points"
        )
    row = row[:width] + [""] * (width - len(row))  # empty cells at the end may be left out
    cells = [cell.strip() for cell in row[:lead]]
    index.append(("/".join(cells[:-1]), cells[-1]) if lead > 1 else _split(cells[0]))
    where = f"row {k + 1} of the points"
    values.append(np.array([number(cell, where) for cell in row[lead:]]))


def _split(cell: str) -> tuple[str, str]:
    folder, _, name = cell.replace("\\", "/").rpartition("/")
    return folder, name


def _clips(index: Sequence[tuple[str, ...]]) -> dict[str, list[int]]:
    """Rows by the folder of their picture, which is that of a video."""
    clips: dict[str, list[int]] = {}
    for row, (*folders, _) in enumerate(index):
        clips.setdefault("/".join(folders).rpartition("/")[2], []).append(row)
    return clips


def _check_levels(path: Path, headers: dict[str, list[str]]) -> None:
    missing = [name for name in ("bodyparts", "coords") if name not in headers]
    if missing:
        raise UserError(
            f"{path}: expected header rows that begin with scorer, bodyparts and coords, found no"
            f" {' and no '.join(missing)}; export the table again with all of its headers"
        )
    width = len(headers["bodyparts"])
    for name, row in headers.items():
        if name != "scorer" and len(row) != width:
            raise UserError(
                f"{path}: expected header rows of {width} cells each, found {len(row)} for {name}"
            )
    if not 2 <= width <= _MOST_COLUMNS:
        raise UserError(f"{path}: expected 2 to {_MOST_COLUMNS:,} columns, found {width:,}")


def _check_columns(path: Path, places: dict[str, dict[str, dict[str, int]]]) -> None:
    if not places:
        raise UserError(f"{path}: expected coordinates x and y in the headers, found neither")
    for individual, parts in places.items():
        for part, named in parts.items():
            of = f"{part} of {individual}" if individual else part
            missing = [coord for coord in ("x", "y") if coord not in named]
            if missing:
                raise UserError(f"{path}: expected columns x and y of {of}, found no {missing[0]}")
        scored = [part for part, named in parts.items() if "likelihood" in named]
        if scored and len(scored) < len(parts):
            bare = next(part for part in parts if part not in scored)
            raise UserError(
                f"{path}: expected a column likelihood of each point or of none, found one of"
                f" {scored[0]} and none of {bare}"
            )
