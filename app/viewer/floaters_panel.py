"""Likely floaters: looked for once, then marked or hidden by strength; the run stays as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from app.viewer.job import Job
from app.viewer.page import Page
from app.viewer.twin import export_command, panel_html

if TYPE_CHECKING:
    from splatting.splats import Splats

MARK_RGB = (1.0, 0.1, 0.6)
DEFAULT_STRENGTH = 0.5


def add(page: Page) -> None:
    """A folder with the search, the strength, mark or hide, and undo."""
    _Floaters(page)


def marked(splats: Splats, mark: np.ndarray) -> Splats:
    """`splats` with those of `mark` in one loud colour from every side."""
    from splatting.splats import SH_C0

    sh0, shN = splats.sh0.copy(), splats.shN.copy()
    sh0[mark] = (np.array(MARK_RGB, np.float32) - 0.5) / SH_C0
    shN[mark] = 0.0
    return replace(splats, sh0=sh0, shN=shN)


class _Floaters:
    """The folder and its search."""

    def __init__(self, page: Page) -> None:
        self.page = page
        gui = page.server.gui
        with gui.add_folder("Likely floaters", order=3):
            self.find = gui.add_button("Find floaters", hint="Looks through all cameras once")
            self.job = Job(gui, self.find)
            self.strength = gui.add_slider(
                "strength", 0.05, 0.95, 0.05, DEFAULT_STRENGTH, hint="Higher takes more along"
            )
            self.hide = gui.add_checkbox("hide", False, hint="Hide instead of marking in colour")
            self.undo = gui.add_button("Undo", color="gray", hint="Show all as they were")
            self.twin = gui.add_html("")
        self._show(False)
        self.find.on_click(lambda _: self._begin())
        self.strength.on_update(lambda _: self._apply())
        self.hide.on_update(lambda _: self._apply())
        self.undo.on_click(lambda _: self._undo())
        page.edits.on_change(self._tell)

    def _begin(self) -> None:
        source = self.page.edits.source
        if source is None or self.page.stage.live:
            self.job.say("after training")
        else:
            self.job.start(lambda _: self._search(source))

    def _search(self, splats: Splats) -> str:
        from splatting import floaters

        cameras = [view.camera for view in self.page.views if view.split == "train"]
        done, steps = 0, max(1, len(floaters.thinned(cameras)))

        def tick() -> None:
            nonlocal done
            done += 1
            self.job.progress(done / steps)

        if self.page.edits.floater_scores(splats) is None:
            scores = floaters.floater_scores(splats, cameras, tick)
            self.page.edits.set_floater_scores(splats, scores)
        self._show(True)
        self._apply()
        return self._found()

    def _apply(self) -> None:
        if not self.strength.visible:  # undone
            return
        self.page.stage.set_paint("floaters", None if self.hide.value else self._paint)
        self.page.edits.select(drop_floaters=self._strength() if self.hide.value else 0.0)

    def _undo(self) -> None:
        self._show(False)
        self.hide.value, self.strength.value = False, DEFAULT_STRENGTH
        self.job.say("")
        self.page.stage.set_paint("floaters", None)
        self.page.edits.select(drop_floaters=0.0)

    def _paint(self, splats: Splats) -> Splats:
        likely = self._likely(splats)
        return splats if likely is None else marked(splats, likely)

    def _likely(self, splats: Any) -> np.ndarray | None:
        scores = self.page.edits.floater_scores(splats)
        return None if scores is None else scores > 1.0 - self._strength()

    def _strength(self) -> float:
        return round(self.strength.value, 2)

    def _found(self) -> str:
        likely = self._likely(self.page.edits.source)
        if likely is None or not self.strength.visible:
            return ""
        what = "hidden" if self.hide.value else "marked"
        return f"{likely.sum():,} of {len(likely):,} splats {what}"

    def _tell(self) -> None:
        if not self.job.running:
            self.job.say(self._found())
        # also while they are only marked: this is how to leave them out
        selection = replace(self.page.edits.selection, drop_floaters=self._strength())
        self.twin.content = panel_html(export_command(self.page, selection=selection))

    def _show(self, found: bool) -> None:
        for part in (self.strength, self.hide, self.undo):
            part.visible = found
        self.twin.visible = found
