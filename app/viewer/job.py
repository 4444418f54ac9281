"""Work that a button starts: one at a time, in a thread of its own, with a bar and a line."""

from __future__ import annotations

import html
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import UserError

if TYPE_CHECKING:
    from viser import GuiApi, GuiButtonHandle

Work = Callable[[Path], str]
"""Gets a folder of its own that is deleted afterwards; returns what is to be said."""


class Job:
    """The bar and the line below a button; whatever goes wrong is said there, and the page lives
    on."""

    def __init__(self, gui: GuiApi, button: GuiButtonHandle) -> None:
        self._button = button
        self._bar = gui.add_progress_bar(0.0, visible=False, animated=True)
        self._note = gui.add_html("", visible=False)
        self._busy = threading.Lock()

    @property
    def running(self) -> bool:
        """Whether work is going on."""
        return self._busy.locked()

    def say(self, text: str) -> None:
        """Replace the line below the bar."""
        self._note.visible = bool(text)
        self._note.content = (
            "<div style='padding:0 0.8em 0.5em; font-size:0.9em; overflow-wrap:anywhere'>"
            f"{html.escape(text)}</div>"
        )

    def progress(self, share: float) -> None:
        """How much is done, 0 to 1."""
        self._bar.value = 100.0 * min(max(share, 0.0), 1.0)

    def start(self, work: Work) -> None:
        """Have `work` done, unless other work is going on."""
        if self._busy.acquire(blocking=False):
            threading.Thread(target=self._run, args=(work,), name="job", daemon=True).start()

    def _run(self, work: Work) -> None:
        try:
            self._button.disabled, self._bar.visible = True, True
            self.progress(0.0)
            with tempfile.TemporaryDirectory(prefix="darb3d-") as folder:
                self.say(_said(work, Path(folder)))
            self._button.disabled, self._bar.visible = False, False
        except RuntimeError:
            return  # the page was closed in between
        finally:
            self._busy.release()


def _said(work: Work, folder: Path) -> str:
    try:
        return work(folder)
    except UserError as error:
        return str(error).replace(f"{folder}/", "")
    except Exception as error:
        return f"{type(error).__name__}: {error}".replace(f"{folder}/", "")
