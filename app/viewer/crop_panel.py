"""The crop box: three gizmos and six numbers, the same as `--crop-min` and `--crop-max`."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from jaxtyping import Float64

from app.viewer.page import Page
from app.viewer.twin import export_command, panel_html

BOX_COLOUR = (255, 196, 64)
ARROWS_PX = 64.0
_EDGES = [(a, b) for a in range(8) for b in range(8) if a < b and (a ^ b) in (1, 2, 4)]
"""Pairs of corners, numbered by the bits of x, y, z, that share an edge."""


def add(page: Page) -> None:
    """A folder with the switch, the numbers and the command; the box stands in the scene."""
    _Crop(page)


def first_box(xyz: Float64[np.ndarray, "n 3"]) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest corner of a box around the middle of the scene."""
    low, high = np.quantile(xyz, [0.1, 0.9], axis=0)
    room = 0.05 * np.maximum(high - low, 1e-6)
    return low - room, high + room


def decimals_of(low: Float64[np.ndarray, "3"], high: Float64[np.ndarray, "3"]) -> int:
    """How many decimals say the corners of a box to a few thousandths of its size.

    >>> decimals_of(np.zeros(3), np.array([1.0, 4.0, 2.0]))
    2
    """
    size = max(float(np.max(high - low)), 1e-12)
    return max(0, 2 - int(np.floor(np.log10(size))))


def edges(low: np.ndarray, high: np.ndarray) -> Float64[np.ndarray, "12 2 3"]:
    """The twelve edges of a box."""
    corners = [[high[axis] if n >> axis & 1 else low[axis] for axis in range(3)] for n in range(8)]
    return np.array(corners)[_EDGES]


class _Crop:
    """The folder, the box and what both stand at; corners are in the coordinates of the model."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.low, self.high = np.zeros(3), np.ones(3)
        self.nodes: list[Any] = []
        self.lock = threading.RLock()
        gui = page.server.gui
        with gui.add_folder("Crop box", order=1):
            self.on = gui.add_checkbox("crop", False, hint="Show and export the inside of a box")
            self.box = gui.add_checkbox("box", True, hint="Draw the box and its arrows")
            self.lowest = gui.add_vector3("from", (0.0, 0.0, 0.0))
            self.highest = gui.add_vector3("to", (1.0, 1.0, 1.0))
            self.reset = gui.add_button("Reset", color="gray", hint="Back to the first box")
            self.twin = gui.add_html("")
        self._show_inputs(False)
        self.on.on_update(lambda _: self._switched())
        self.box.on_update(lambda _: self._draw())
        self.reset.on_click(lambda _: self._reset())
        self.lowest.on_update(lambda event: self._typed(event))
        self.highest.on_update(lambda event: self._typed(event))
        page.edits.on_change(self._tell)

    def _switched(self) -> None:
        if self.on.value and not self.nodes and not self._begin():
            self.on.value = False  # nothing to crop yet
            return
        self._show_inputs(self.on.value)
        self._draw()
        self._select()

    def _reset(self) -> None:
        self._begin()

    def _begin(self) -> bool:
        """Put the box around the splats; False when there are none."""
        source = self.page.edits.source
        if source is None:
            return False
        low, high = first_box(source.means.astype(np.float64))
        origin = np.array(source.origin_world)
        self._place(*self._rounded(low + origin, high + origin))
        return True

    def _rounded(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        decimals = decimals_of(low, high)
        return np.round(low, decimals), np.round(high, decimals)

    def _typed(self, event: Any) -> None:
        if event.client is None:  # set by the box itself
            return
        with self.lock:
            self._place(np.array(self.lowest.value), np.array(self.highest.value))

    def _dragged(self, gizmo: Any, which: str) -> None:
        with self.lock:
            xyz_model = np.array(gizmo.position) / self.page.scale + self._origin()
            low, high = self.low, self.high
            if which == "low":
                low = np.minimum(xyz_model, high)
            elif which == "high":
                high = np.maximum(xyz_model, low)
            else:
                half = 0.5 * (high - low)
                low, high = xyz_model - half, xyz_model + half
            self._place(*self._rounded(low, high))

    def _place(self, low: np.ndarray, high: np.ndarray) -> None:
        """Have box, numbers and selection say the same."""
        with self.lock:
            self.low, self.high = np.minimum(low, high), np.maximum(low, high)
            decimals = decimals_of(low, high)
            for vector, corner in ((self.lowest, self.low), (self.highest, self.high)):
                vector.precision, vector.step = decimals + 2, 10.0 ** (1 - decimals)
                vector.value = tuple(corner.tolist())
            self._draw()
            self._select()

    def _select(self) -> None:
        low = high = None
        if self.on.value:
            low, high = tuple(self.low.tolist()), tuple(self.high.tolist())
        self.page.edits.select(crop_min=low, crop_max=high)

    def _origin(self) -> np.ndarray:
        source = self.page.edits.source
        return np.array((0.0, 0.0, 0.0) if source is None else source.origin_world)

    def _draw(self) -> None:
        shown, page = self.on.value and self.box.value, self.page
        page.stage.want_depth("crop", shown)
        low, high = ((c - self._origin()) * page.scale for c in (self.low, self.high))
        places = {"low": low, "high": high, "whole": 0.5 * (low + high)}
        if shown and not self.nodes:
            self.nodes = [self._lines(low, high)]
            self.nodes += [self._gizmo(which, place) for which, place in places.items()]
        if self.nodes:
            self.nodes[0].points = edges(low, high).astype(np.float32)
            for node, place in zip(self.nodes[1:], places.values(), strict=True):
                node.position = place
            for node in self.nodes:
                node.visible = shown
        page.wake()

    def _lines(self, low: np.ndarray, high: np.ndarray) -> Any:
        return self.page.server.scene.add_line_segments(
            "/edit/crop/box",
            edges(low, high).astype(np.float32),
            BOX_COLOUR,
            thickness=2.0,
            thickness_units="screen",
        )

    def _gizmo(self, which: str, place: np.ndarray) -> Any:
        anywhere = (-1e9, 1e9)
        gizmo = self.page.server.scene.add_transform_controls(
            f"/edit/crop/{which}",
            scale=ARROWS_PX,
            fixed=True,
            disable_rotations=True,
            depth_test=False,
            position=place,
            translation_limits=(anywhere, anywhere, anywhere),
        )
        gizmo.on_update(lambda event: self._dragged(gizmo, which))
        return gizmo

    def _show_inputs(self, shown: bool) -> None:
        for part in (self.box, self.lowest, self.highest, self.reset, self.twin):
            part.visible = shown

    def _tell(self) -> None:
        self.twin.content = panel_html(export_command(self.page))
