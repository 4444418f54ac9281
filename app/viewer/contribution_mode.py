"""Splats in the colours of what they paint in the photos, measured once in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app import modes

if TYPE_CHECKING:
    from app.viewer.page import Page

KEPT = 2
"""Scenes whose colours are kept: the page compares two at most."""


class _GivenUp(Exception):
    """What was being measured is no longer to be seen."""


class ContributionMode:
    """A mode of the stage: plain colours until the measuring is over.

    `on_progress(share)` follows the measuring, with None at its end; `on_range` hears of what is
    shown.
    """

    def __init__(
        self,
        page: Page,
        on_progress: Callable[[float | None], object],
        on_range: Callable[[modes.Range], object],
    ) -> None:
        self._page = page
        self._on_progress = on_progress
        self._on_range = on_range
        self._lock = threading.Lock()
        self._busy = False
        self._known: list[tuple[Any, Any, modes.Range]] = []
        """Splats, the same in other colours, and the range of these."""

    def __call__(self, render: Callable[..., Any], splats: Any, camera: Any) -> Any:
        whole, kept = self._page.stage.rows(splats)
        for known, coloured, limits in self._known:
            if known is whole:
                self._on_range(limits)
                return render(coloured if kept is None else coloured.take(kept), camera)
        self._start(whole)
        return render(splats, camera)

    def _start(self, whole: Any) -> None:
        with self._lock:
            if self._busy or self._page.stage.live:  # splats in training change as one measures
                return
            self._busy = True
        threading.Thread(
            target=self._measure, args=(whole,), name="contribution", daemon=True
        ).start()

    def _measure(self, whole: Any) -> None:
        page = self._page
        cameras = [view.camera for view in page.views if view.split == "train"]
        cameras = cameras or [view.camera for view in page.views]

        def report(done: int) -> None:
            if page.closed or page.stage.mode is not self:
                raise _GivenUp
            self._on_progress(done / len(cameras))

        try:
            painted = modes.measure(whole, cameras, report, page.stage.pace.turn)
            # two scenes on one page are told apart by one range
            shared = [limits for known, _, limits in self._known if known is page.stage.source]
            limits = shared[0] if shared else modes.contribution_range(painted)
            known = whole, modes.coloured(whole, painted, limits), limits
            self._known = [known, *self._known][:KEPT]
        except _GivenUp:
            pass
        finally:
            self._busy = False
            if not page.closed:
                self._on_progress(None)
                page.wake()
