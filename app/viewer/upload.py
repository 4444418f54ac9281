"""Files that people hand to the page: read through our own readers, from a place of our own.

Of the name only the ending is used, and only if it is one of those we read; the rest is shown and
never opened.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import UserError

if TYPE_CHECKING:
    from viser import ViserServer

_LONGEST = 60


def add_upload(
    server: ViserServer,
    label: str,
    endings: Sequence[str],
    take: Callable[[Path, str], None],
    say: Callable[[str], None],
    hint: str = "",
) -> None:
    """A button for files of `endings`; each goes to `take` with a title, or `say` tells in one line
    why not, and nothing once one was taken."""
    button = server.gui.add_upload_button(label, hint=hint or ", ".join(endings))

    @button.on_upload
    def _(_event: object) -> None:
        content, name = button.value.content, button.value.name
        # a file of hundreds of megabytes is not kept
        button._impl.value = type(button.value)("", b"")
        button.disabled = True
        say("")
        try:
            received(name, content, endings, take)
        except Exception as error:  # whatever a file does, the page goes on
            plain = isinstance(error, UserError)
            say(str(error) if plain else f"{shown(name)}: {type(error).__name__}: {error}")
        finally:
            button.disabled = False


def received(
    name: str, content: bytes, endings: Sequence[str], take: Callable[[Path, str], Any]
) -> None:
    """Hand `content` to `take` as a file that is gone afterwards; errors speak of it by `name`."""
    ending = next((e for e in endings if name.lower().endswith(e)), None)
    if ending is None:
        raise UserError(f"{shown(name)}: expected one of {', '.join(endings)}, found another file")
    with tempfile.TemporaryDirectory(prefix="darb3d-upload-") as folder:
        path = Path(folder) / f"upload{ending}"
        path.write_bytes(content)
        try:
            take(path, shown(name)[: -len(ending)])
        except UserError as error:
            raise UserError(str(error).replace(str(path), shown(name))) from None


def shown(name: str) -> str:
    """A file's name as it may be shown: its last part, printable, not too long."""
    last = re.split(r"[/\\]", name)[-1]
    clean = "".join(letter for letter in last if letter.isprintable()) or "file"
    return clean if len(clean) <= _LONGEST else f"…{clean[1 - _LONGEST :]}"
