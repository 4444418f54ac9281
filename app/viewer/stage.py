"""Stage: the splats that every page shows, which of them, and how they are drawn.

Panels change what stands here and wake the render threads; they draw nothing themselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, UInt8

if TYPE_CHECKING:
    from viser import ClientHandle

    from app.viewer.client_page import ClientPage
    from data.camera import Camera

Render = Callable[[Any, "Camera"], Any]
"""Splats and a camera in; an object with rgb, alpha and depth out, as `splatting.render`."""
Mode = Callable[[Render, Any, "Camera"], Any]
"""What is drawn in place of the plain picture: gets the plain render, returns the same kind."""
Filter = Callable[[Any], Bool[np.ndarray, "n"]]
"""Which splats are shown."""
Overlay = Callable[
    [UInt8[np.ndarray, "h w 3"], "Camera", "ClientHandle"], UInt8[np.ndarray, "h w 3"]
]
"""Changes a finished picture of one client, for example into half a photo."""


class Pace:
    """Takes turns between the pages and, when `share` is below 1, rests between pictures."""

    def __init__(self) -> None:
        self.share = 1.0
        self._lock = threading.Lock()
        self._free_at = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the right to render; enters once the last picture's rest is over."""
        with self._lock:
            time.sleep(max(0.0, self._free_at - time.monotonic()))
            begin = time.monotonic()
            try:
                yield
            finally:
                end = time.monotonic()
                self._free_at = end + (end - begin) * (1.0 / self.share - 1.0)


class Stage:
    """What every page shows: the splats on stage, and how they are drawn."""

    def __init__(self, render: Render) -> None:
        self.render = render
        self.pace = Pace()
        self.source: Any = None
        """The splats as they were trained or read; nothing on the page changes them."""
        self.version = 0
        """Rises with every change of what is to be seen."""
        self.live = False
        self.detail = 1.0
        self.with_depth = False
        self.browser: ClientPage | None = None
        """What browsers can draw for themselves."""
        self.in_browser = False
        """Whether they are to: fast, and exact but for what `docs/viewer.md` says."""
        self.mode: Mode | None = None
        self.overlays: dict[str, Overlay] = {}
        self._filters: dict[str, Filter] = {}
        self._shown: tuple[int, Any] = (-1, None)

    @property
    def splats(self) -> Any:
        """The splats of the source that no filter hides."""
        version, shown = self._shown
        if version != self.version:
            version, shown, filters = self.version, self.source, list(self._filters.values())
            if shown is not None and filters:
                shown = shown.take(np.logical_and.reduce([keep(shown) for keep in filters]))
            self._shown = version, shown
        return shown

    @property
    def drawn_by_browsers(self) -> bool:
        """Whether browsers draw now: they know the splats themselves and one kernel, no modes."""
        plain = self.mode is None and not self.overlays
        ready = self.browser is not None and self.browser.can_draw(self.source)
        return self.in_browser and plain and ready

    def put(self, splats: Any, live: bool = False) -> None:
        """Show other splats, or the same after they changed (`live`: they change further)."""
        self.source, self.live = splats, live
        self.version += 1

    def set_filter(self, name: str, keep: Filter | None) -> None:
        """Hide the splats for which `keep` is False; None takes the filter of that name away."""
        if keep is None:
            self._filters.pop(name, None)
        else:
            self._filters[name] = keep
        self.version += 1

    def draw(self, camera: Camera) -> Any:
        """What `camera` sees, in the mode that is on: rgb, alpha and depth."""
        if self.mode is None:
            return self.render(self.splats, camera)
        return self.mode(self.render, self.splats, camera)
