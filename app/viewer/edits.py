"""Edits: what the panels for editing have chosen. The run itself stays as it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float64

from splatting.selection import Selection, kept

if TYPE_CHECKING:
    from app.viewer.stage import Stage
    from splatting.splats import Splats


class Edits:
    """Which splats the page shows and its exports hold, and at which scale."""

    def __init__(self, stage: Stage, wake: Callable[[], None]) -> None:
        self.selection = Selection()
        self.scale = 1.0
        """Real-world units in a unit of the scene."""
        self._stage = stage
        self._wake = wake
        self._scored: tuple[Any, np.ndarray] | None = None
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    @property
    def source(self) -> Splats | None:
        """The splats to choose from; None before there are any."""
        source = self._stage.source
        return source if hasattr(source, "logit_opacities") else None

    def select(self, **changes: Any) -> None:
        """Change the selection, show what is left, tell the panels."""
        with self._lock:
            self.selection = replace(self.selection, **changes)
            self._stage.set_filter("edits", self.keep if self.selection != Selection() else None)
        self._changed()

    def set_scale(self, scale: float) -> None:
        """Real-world units in a unit of the scene."""
        self.scale = scale
        self._changed()

    def set_floater_scores(self, splats: Splats, scores: Float64[np.ndarray, "n"]) -> None:
        """By these the floaters among `splats` are told."""
        self._scored = splats, scores

    def floater_scores(self, splats: Any) -> Float64[np.ndarray, "n"] | None:
        """Those of `splats` themselves, None for any others."""
        scored = self._scored
        return scored[1] if scored is not None and scored[0] is splats else None

    def keep(self, splats: Splats) -> Bool[np.ndarray, "n"]:
        """Which of `splats` are left; floaters are left out once they were looked for."""
        scores = self.floater_scores(splats)
        selection = self.selection
        if scores is None:
            selection = replace(selection, drop_floaters=0.0)
        return kept(splats, selection, scores)

    def on_change(self, tell: Callable[[], None]) -> None:
        """Call `tell` after each change."""
        self._listeners.append(tell)

    def _changed(self) -> None:
        for tell in list(self._listeners):
            tell()
        self._wake()
