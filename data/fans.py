"""Polygons cut into triangles around their first corner."""

from __future__ import annotations

import array
from collections.abc import Iterable, Sequence
from itertools import islice, pairwise

import numpy as np
from jaxtyping import Int32

_LINES = 4096
"""Lines of polygons that are read at a time."""
_LARGEST = np.iinfo(np.int32).max


def fans(polygons: np.ndarray) -> Int32[np.ndarray, "m 3"]:
    """Triangles of polygons of one number of corners, (count, k).

    >>> fans(np.array([[0, 1, 2, 3]])).tolist()
    [[0, 1, 2], [0, 2, 3]]
    """
    k = polygons.shape[1]
    if k < 3:
        return np.empty((0, 3), np.int32)
    corners = np.clip(np.nan_to_num(polygons), -1, _LARGEST).astype(np.int32)
    order = np.stack([np.zeros(k - 2, int), np.arange(1, k - 1), np.arange(2, k)], 1)
    return corners[:, order].reshape(-1, 3)


def _alike(lines: list[str]) -> np.ndarray | None:
    """The corners, a row a line, if all lines have as many and nothing behind them: numpy reads
    those ten times as fast."""
    try:
        rows = np.loadtxt(lines, np.int64, ndmin=2, comments=None)
    except ValueError:
        return None
    corners = rows[:, 1:]
    return corners if rows.size and (rows[:, 0] == corners.shape[1]).all() else None


class Fans:
    """Triangles gathered from polygons of any numbers of corners, four bytes a corner."""

    def __init__(self) -> None:
        self._corners = array.array("i")

    def add(self, polygon: Sequence[int]) -> None:
        """One more; ValueError for corners that are no numbers of vertices."""
        try:
            for second, third in pairwise(polygon[1:]):
                self._corners.extend((polygon[0], second, third))
        except (OverflowError, TypeError):
            raise ValueError(f"the corners {polygon!s:.60}") from None

    def add_lines(self, lines: Iterable[str]) -> None:
        """Polygons as OFF and PLY write them: how many corners, then those, then what else there
        is; ValueError for fewer."""
        source = iter(lines)
        while some := list(islice(source, _LINES)):
            rows = _alike(some)
            if rows is not None:
                self._corners.frombytes(fans(rows).tobytes())
                continue
            for line in some:
                words = line.split()
                corners = [int(word) for word in words[1 : 1 + int(words[0])]]
                if len(corners) != int(words[0]):
                    raise ValueError(f"{len(corners)} corners of {int(words[0])}")
                self.add(corners)

    def array(self) -> Int32[np.ndarray, "m 3"]:
        """All of them."""
        return np.array(self._corners, np.int32).reshape(-1, 3)
