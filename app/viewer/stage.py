"""Stage: the splats that every page shows, which of them, and how they are drawn.

Panels change what stands here and wake the render threads; they draw nothing themselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8

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
Paint = Callable[[Any], Any]
"""The same splats in other colours."""
Overlay = Callable[
    [UInt8[np.ndarray, "h w 3"], "Camera", "ClientHandle"], UInt8[np.ndarray, "h w 3"]
]
"""Changes a finished picture of one client, for example by writing into it."""
Takeover = Callable[["Camera", "ClientHandle"], "Picture | None"]
"""Another picture for a client that stands somewhere special, None elsewhere."""
Layout = Callable[[Callable[[Any, "Camera"], Any], "Camera"], Any]
"""How several scenes share a picture; gets what draws one of them."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What the page needs of a drawn view, as `splatting.RenderOutput` has it."""

    rgb: Shaped[np.ndarray, "h w 3"]
    """0..1, or bytes."""
    alpha: Float[np.ndarray, "h w"]
    depth: Float[np.ndarray, "h w"]
    """Divided by alpha, distances along the view in scene units."""


def flat(rgb: Shaped[np.ndarray, "h w 3"]) -> Picture:
    """A picture that has no depth: it hides whatever else stands in the scene."""
    return Picture(rgb, np.ones(rgb.shape[:2], np.float32), np.zeros(rgb.shape[:2], np.float32))


class Pace:
    """Takes turns between the pages and, when `share` is below 1, rests between pictures."""

    def __init__(self) -> None:
        self.share = 1.0
        self._lock = threading.Lock()
        self._ended, self._took = 0.0, 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the right to render; enters once the last picture's rest is over."""
        with self._lock:
            rest = self._took * (1.0 / self.share - 1.0)
            time.sleep(max(0.0, self._ended + rest - time.monotonic()))
            begin = time.monotonic()
            try:
                yield
            finally:
                self._ended = time.monotonic()
                self._took = self._ended - begin


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
        self.browser: ClientPage | None = None
        """What browsers can draw for themselves."""
        self.in_browser = False
        """Whether they are to: fast, and exact but for what `docs/viewer.md` says."""
        self.scale = 1.0
        """Units of the page in a unit of the scene (see `page.page_scale`)."""
        self.mode: Mode | None = None
        self.layout: Layout | None = None
        self.takeovers: dict[str, Takeover] = {}
        self.overlays: dict[str, Overlay] = {}
        self._depth_for: set[str] = set()
        self._filters: dict[str, Filter] = {}
        self._paints: dict[str, Paint] = {}
        self._settled: list[Callable[[], None]] = []
        self._shown: list[tuple[int, Any, Any, Any]] = []
        self._drawing = ThreadPoolExecutor(1, thread_name_prefix="drawing")

    @property
    def splats(self) -> Any:
        """The splats of the source that no filter hides."""
        return self.filtered(self.source)

    def filtered(self, whole: Any) -> Any:
        """Those of the splats `whole` that no filter hides, painted."""
        for version, known, _, shown in self._shown:
            if known is whole and version == self.version:
                return shown
        version, filters = self.version, list(self._filters.values())
        shown, kept = whole, None
        if whole is not None:
            for paint in list(self._paints.values()):
                shown = paint(shown)
            if filters:
                kept = np.logical_and.reduce([keep(whole) for keep in filters])
                shown = shown.take(kept)
        # two runs may be on stage, and one of them was asked for a moment ago by another thread
        self._shown = [(version, whole, kept, shown), *self._shown[:2]]
        return shown

    @property
    def drawn_by_browsers(self) -> bool:
        """Whether browsers draw now: they know the splats themselves and one kernel, no modes."""
        changed = self.mode or self.layout or self.takeovers or self.overlays
        ready = self.browser is not None and self.browser.can_draw(self.source)
        return self.in_browser and not changed and ready

    def rows(self, shown: Any) -> tuple[Any, Bool[np.ndarray, "n"] | None]:
        """The splats that `filtered` left `shown` of, and which they are (None: all)."""
        for _, whole, kept, known in self._shown:
            if known is shown:
                return whole, kept
        return shown, None

    @property
    def with_depth(self) -> bool:
        """Whether pictures carry their depth, which hides what stands behind the splats."""
        return bool(self._depth_for)

    def want_depth(self, who: str, wanted: bool) -> None:
        """Have pictures carry their depth for as long as anyone wants it."""
        (self._depth_for.add if wanted else self._depth_for.discard)(who)

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

    def set_filter(self, name: str, keep: Filter | None) -> None:
        """Hide the splats for which `keep` is False; None takes the filter of that name away."""
        if keep is None:
            self._filters.pop(name, None)
        else:
            self._filters[name] = keep
        self.version += 1

    def alone(self, work: Callable[..., None], *arguments: Any) -> None:
        """Have `work` done by the one thread that draws: its buffers, which keep the size of the
        largest picture, serve all pages, and stay when pages come and go."""
        self._drawing.submit(work, *arguments).result()

    def set_paint(self, name: str, paint: Paint | None) -> None:
        """Show the splats as `paint` colours them; None takes the paint of that name away."""
        if paint is None:
            self._paints.pop(name, None)
        else:
            self._paints[name] = paint
        self.version += 1

    def draw(self, camera: Camera, client: Any = None) -> Any:
        """What `camera` sees for a client, in the mode that is on: rgb, alpha and depth."""
        for takeover in list(self.takeovers.values()):
            picture = takeover(camera, client)
            if picture is not None:
                return picture
        if self.layout is not None:
            return self.layout(self.draw_one, camera)
        return self.draw_one(self.splats, camera)

    def draw_one(self, splats: Any, camera: Camera) -> Any:
        """`splats` in the mode that is on."""
        mode = self.mode
        return self.render(splats, camera) if mode is None else mode(self.render, splats, camera)
