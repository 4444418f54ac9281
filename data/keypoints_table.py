"""Plain tables: a column for each coordinate (`nose_x`, `nose.y`, `nose score`), or a row for each
point (`frame, name, x, y`).

SLEAP's .csv is one of the first kind. A column of the frame (`frame`, `frame_idx`, `fnum`, ...) and
one of the individual (`track`, `individual`, `id`, ...) may stand beside them.
"""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import numpy as np

from data.errors import UserError
from data.keypoints import Keypoints2D, frame_numbers
from data.text_tables import number, rows_of

_FRAME = {"frame", "frame_idx", "frame_index", "frame_id", "frame_number", "fnum", "image"}
_INDIVIDUAL = {"track", "track_id", "individual", "individuals", "animal", "instance", "id"}
_NAME = {"name", "keypoint", "bodypart", "joint", "node", "point", "landmark"}
_SCORE = {"score", "conf", "confidence", "likelihood", "p", "c", "prob"}
_COLUMN = re.compile(r"(.+?)[._ :-]([A-Za-z]+)")


def read(path: Path) -> list[Keypoints2D] | None:
    """The animals of a table; None for one whose columns are others."""
    rows = rows_of(path)
    header = [cell.strip() for cell in next(rows, [])]
    lower = [cell.lower() for cell in header]
    frame = next((i for i, name in enumerate(lower) if name in _FRAME), None)
    individual = next((i for i, name in enumerate(lower) if name in _INDIVIDUAL), None)
    if "x" in lower and "y" in lower and any(name in _NAME for name in lower):
        return _long(path, lower, frame, individual, rows)
    if frame is None and header and not header[0]:
        frame = 0  # a nameless first column is an index
    columns = _columns(path, header)
    if not columns:
        return None
    if any("z" in named for named in columns.values()):
        raise UserError(
            f"{path}: expected 2D points, found 3D ones (columns _z), which need no lifting"
        )
    return _wide(path, columns, frame, individual, rows, len(header))


def _columns(path: Path, header: list[str]) -> dict[str, dict[str, int]]:
    """Of each point, the columns of its x, y, z and score."""
    columns: dict[str, dict[str, int]] = {}
    for place, cell in enumerate(header):
        if not (match := _COLUMN.fullmatch(cell)):
            continue
        coord = match[2].lower()
        coord = "score" if coord in _SCORE else coord
        if coord in ("x", "y", "z", "score"):
            named = columns.setdefault(match[1], {})
            if coord in named:
                raise UserError(f"{path}: expected one column {coord} of {match[1]}, found two")
            named[coord] = place
    columns = {name: named for name, named in columns.items() if named.keys() & {"x", "y"}}
    for name, named in columns.items():
        missing = [coord for coord in ("x", "y") if coord not in named]
        if missing:
            raise UserError(f"{path}: expected columns x and y of {name}, found no {missing[0]}")
    return columns


def _wide(
    path: Path,
    columns: dict[str, dict[str, int]],
    frame: int | None,
    individual: int | None,
    rows: object,
    width: int,
) -> list[Keypoints2D]:
    scored = all("score" in named for named in columns.values())
    picked = [
        [named["x"], named["y"], *([named["score"]] if scored else [])]
        for named in columns.values()
    ]
    places = list(chain.from_iterable(picked))
    blocks: dict[str, list[np.ndarray]] = {}
    numbers: dict[str, list[str]] = {}
    for k, row in enumerate(rows):  # pyright: ignore[reportArgumentType]
        if len(row) > width and any(row[width:]):
            raise UserError(f"{path}: expected {width} cells in each row, found {len(row)}")
        row = row + [""] * (width - len(row))
        where = f"row {k + 1} of the points"
        label = row[individual].strip() if individual is not None else ""
        values = np.array([number(row[place], where) for place in places])
        blocks.setdefault(label, []).append(values.reshape(len(columns), -1))
        numbers.setdefault(label, []).append(row[frame] if frame is not None else str(k))
    return [
        _animal(np.array(block), tuple(columns), numbers[label], label)
        for label, block in blocks.items()
        if not np.isnan(np.array(block)[..., :2]).any(axis=2).all()
    ]


def _long(
    path: Path, header: list[str], frame: int | None, individual: int | None, rows: object
) -> list[Keypoints2D]:
    if frame is None:
        raise UserError(
            f"{path}: expected a column frame beside the names of the points, found"
            f" {', '.join(header):.200}"
        )
    name = next(i for i, cell in enumerate(header) if cell in _NAME)
    x, y = header.index("x"), header.index("y")
    score = next((i for i, cell in enumerate(header) if cell in _SCORE), None)
    animals: dict[str, dict[int, dict[str, tuple[float, float, float]]]] = {}
    names: dict[str, None] = {}
    for k, row in enumerate(rows):  # pyright: ignore[reportArgumentType]
        where = f"row {k + 1} of the points"
        row = row + [""] * (len(header) - len(row))
        label = row[individual].strip() if individual is not None else ""
        at = int(frame_numbers([row[frame]])[0])
        point = row[name].strip()
        names.setdefault(point)
        here = animals.setdefault(label, {}).setdefault(at, {})
        if point in here:
            raise UserError(
                f"{path}: expected one row a frame and point, found {point} of frame {at} twice;"
                " two animals need a column individual"
            )
        confidence = number(row[score], where) if score is not None else 1.0
        here[point] = (number(row[x], where), number(row[y], where), confidence)
    nothing = (np.nan, np.nan, 0.0)
    return [
        _animal(
            np.array([[frames[t].get(point, nothing) for point in names] for t in sorted(frames)]),
            tuple(names),
            [str(at) for at in sorted(frames)],
            label,
        )
        for label, frames in animals.items()
    ]


def _animal(
    block: np.ndarray, names: tuple[str, ...], numbers: list[str], label: str
) -> Keypoints2D:
    confidence = block[..., 2] if block.shape[2] == 3 else np.ones(block.shape[:2])
    if np.isnan(confidence).all():
        confidence = np.ones(block.shape[:2])
    missing = np.isnan(confidence) & ~np.isnan(block[..., 0])
    confidence = np.where(missing, 1.0, confidence)  # a point by hand among predictions
    return Keypoints2D(
        block[..., :2], confidence, names, frames=frame_numbers(numbers), individual=label
    )
