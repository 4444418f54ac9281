"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.errors import UserError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, of the same ending, that takes its place when the block ends
    well, flushed to the disk; an OSError names `path`. The folder is made if need be."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield draft
        with open(draft, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(draft, path)
    except OSError as error:
        if error.errno is not None:  # what was written to is no name that anybody knows
            error.filename = str(path)
        raise
    finally:
        draft.unlink(missing_ok=True)


def write_whole(path: str | Path, content: bytes) -> None:
    """Write `content` as `replacing` does; UserError where the folder is missing or full."""
    path = Path(path)
    if not path.parent.is_dir():
        raise UserError(f"{path}: expected a place that can be written, found no folder there")
    try:
        with replacing(path) as draft:
            draft.write_bytes(content)
    except OSError as error:
        raise UserError(
            f"{path}: expected a place that can be written, found: {error.strerror}"
        ) from None
