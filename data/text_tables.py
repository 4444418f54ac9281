"""Rows of text tables: commas, semicolons or tabs, and cells that may be empty."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from data.errors import UserError

_EMPTY = {"", "nan", "na", "n/a", "none", "null", "-"}
_DELIMITERS = (",", ";", "\t")


def rows_of(path: Path) -> Iterator[list[str]]:
    """The cells of each row that is not blank; UserError for what is no text."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            start = stream.readline(100_000)
            stream.seek(0)
            delimiter = max(_DELIMITERS, key=start.count)
            for row in csv.reader(stream, delimiter=delimiter):
                if any(row):
                    yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: expected a table of text, found: {error}") from None


def number(cell: str, where: str) -> float:
    """A cell's number, NaN for an empty one; ValueError that names the place for a text."""
    try:
        return float(cell)
    except ValueError:
        if cell.strip().lower() in _EMPTY:
            return float("nan")
        raise ValueError(f"expected a number in {where}, found {cell!r:.40}") from None
