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

    from data.camera import Camera

Render = Callable[[Any, "Camera"], Any]
"""Splats and a camera in; an object with rgb, alpha and depth out, as `splatting.render`."""
Mode = Callable[[Render, Any, "Camera"], Any]
"""What is drawn in place of the plain picture: gets the plain render, returns the same kind."""
Filter = Callable[[Any], Bool[np.ndarray, "n"]]
"""Which splats are shown."""
Paint = Callable[[Any], Any]
"""The same splats in other colours."""
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
        self.scale = 1.0
        """Units of the page in a unit of the scene."""
        self.mode: Mode | None = None
        self.overlays: dict[str, Overlay] = {}
        self._depth_for: set[str] = set()
        self._filters: dict[str, Filter] = {}
        self._paints: dict[str, Paint] = {}
        self._settled: list[Callable[[], None]] = []
        self._shown: tuple[int, Any] = (-1, None)

    @property
    def splats(self) -> Any:
        """The splats of the source that no filter hides."""
        version, shown = self._shown
        if version != self.version:
            version, whole, filters = self.version, self.source, list(self._filters.values())
            shown = whole
            for paint in list(self._paints.values()):
                shown = paint(shown)
            if whole is not None and filters:
                shown = shown.take(np.logical_and.reduce([keep(whole) for keep in filters]))
            self._shown = version, shown
        return shown

    def put(self, splats: Any, live: bool = False) -> None:
        """Show other splats, or the same after they changed (`live`: they change further)."""
        self.source, self.live = splats, live
        self.version += 1
        if not live:
            for tell in list(self._settled):
                tell()

    def on_settled(self, tell: Callable[[], None]) -> None:
        """Call `tell` whenever splats are put on stage that do not change further."""
        self._settled.append(tell)

    @property
    def with_depth(self) -> bool:
        """Whether pictures carry their depth, which hides what stands behind the splats."""
        return bool(self._depth_for)

    def want_depth(self, who: str, wanted: bool) -> None:
        """Have pictures carry their depth for as long as anyone wants it."""
        (self._depth_for.add if wanted else self._depth_for.discard)(who)

    def set_filter(self, name: str, keep: Filter | None) -> None:
        """Hide the splats for which `keep` is False; None takes the filter of that name away."""
        if keep is None:
            self._filters.pop(name, None)
        else:
            self._filters[name] = keep
        self.version += 1

    def set_paint(self, name: str, paint: Paint | None) -> None:
        """Show the splats as `paint` colours them; None takes the paint of that name away."""
        if paint is None:
            self._paints.pop(name, None)
        else:
            self._paints[name] = paint
        self.version += 1

    def draw(self, camera: Camera) -> Any:
        """What `camera` sees, in the mode that is on: rgb, alpha and depth."""
        if self.mode is None:
            return self.render(self.splats, camera)
        return self.mode(self.render, self.splats, camera)
