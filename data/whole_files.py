"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from data.errors import UserError


def write_whole(path: str | Path, content: bytes) -> None:
    """Write `content` beside `path`, flush it to the disk, then rename it.

    UserError where the folder is missing or full.
    """
    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(draft, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise UserError(
            f"{path}: expected a place that can be written, found: {error.strerror}"
        ) from None
    finally:
        draft.unlink(missing_ok=True)
