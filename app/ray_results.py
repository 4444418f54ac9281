"""Answers in a folder of Parquet parts: each appears whole, what is there is not asked again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.errors import UserError
from data.whole_files import replacing, write_whole

SETTINGS = "_settings.json"
"""Whoever reads a folder of Parquet passes over names that begin so."""


class Results:
    """A folder that answers are added to; it may hold those of an earlier, unfinished run."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        """UserError for a folder of other things, or of answers with other settings."""
        self.folder = folder
        self._check(settings)
        self.rows = [row for part in self._parts() for row in _read(part)]
        """All that is there, in no order."""
        self._next = 1 + max((int(part.stem[5:]) for part in self._parts()), default=0)

    @property
    def done(self) -> set[str]:
        """Files that have their answer, or their refusal."""
        return {row["file"] for row in self.rows}

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write a part."""
        import pyarrow
        from pyarrow import parquet

        table = pyarrow.Table.from_pylist(list(rows), schema=_schema())
        with replacing(self.folder / f"part-{self._next:06d}.parquet") as draft:
            parquet.write_table(table, draft)
        self._next += 1
        self.rows += rows

    def _parts(self) -> list[Path]:
        return sorted(self.folder.glob("part-[0-9]*.parquet"))

    def _check(self, settings: dict[str, Any]) -> None:
        place = self.folder / SETTINGS
        if not place.exists():
            if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
                raise UserError(
                    f"--out {self.folder}: expected a new folder, or one of an earlier run, found"
                    " other things; name another"
                )
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(place, json.dumps(settings, indent=2).encode())
            return
        try:
            found = json.loads(place.read_text())
        except ValueError as error:
            raise UserError(f"{place}: expected JSON, found: {error}; name another --out") from None
        if found != json.loads(json.dumps(settings)):
            raise UserError(
                f"--out {self.folder}: expected answers of the same model and options, found"
                f" {found!s:.200}; name another folder"
            )


def _schema() -> Any:
    import pyarrow as pa

    top = pa.list_(pa.struct([("label", pa.string()), ("probability", pa.float64())]))
    return pa.schema(
        [
            ("file", pa.string()),
            ("label", pa.string()),
            ("probability", pa.float64()),
            ("top5", top),
            ("points", pa.int64()),
            ("stability", pa.float64()),
            ("up", pa.string()),
            ("unlike", pa.bool_()),
            ("error", pa.string()),
        ]
    )


def _read(part: Path) -> list[dict[str, Any]]:
    from pyarrow import ArrowException, parquet

    try:
        return parquet.read_table(part, schema=_schema()).to_pylist()
    except (ArrowException, OSError, ValueError) as error:
        raise UserError(
            f"{part}: expected a part of earlier answers, found a broken one ({error!s:.100});"
            " delete it: its files are asked again"
        ) from None
