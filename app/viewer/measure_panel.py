"""Measuring: distances between points picked on the picture, and the scene's scale from one."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from jaxtyping import Float64

from app.viewer.page import Page
from app.viewer.picking import point_under
from app.viewer.twin import export_command, panel_html

COLOUR = (86, 211, 255)
POINT_SIZE = 0.004
"""Radius of a picked point, in distances from the camera that picked it."""
PICK, PICKING = "Measure", "Click two points"


def add(page: Page) -> None:
    """The tab for measuring."""
    _Measure(page)


def real_scale(measured: float, real: float) -> float:
    """The factor that makes `real` of `measured`, to six digits.

    >>> real_scale(1.6, 0.4)
    0.25
    """
    return float(f"{real / measured:.6g}")


def plain(unit: str) -> str:
    """The name of a unit without what markdown or HTML would take for more."""
    return "".join(sign for sign in unit.strip() if sign.isalnum() or sign in " /.")[:12]


class _Measure:
    """The tab; points are in the scene's own coordinates, distances in its units."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.pairs: list[tuple[np.ndarray, np.ndarray]] = []
        self.first: np.ndarray | None = None
        self.nodes: list[list[Any]] = []
        self.picks: Any = None
        self.lock = threading.RLock()
        gui = page.server.gui
        self.pick = gui.add_button(PICK, hint="Then click two points of the picture; drags turn it")
        self.note = gui.add_markdown("")
        self.undo = gui.add_button("Remove last", color="gray")
        self.clear = gui.add_button("Remove all", color="gray")
        with gui.add_folder("Real size") as self.real:
            self.which: Any = gui.add_dropdown("distance", ("1",))
            self.length = gui.add_number("is really", 1.0, min=1e-9, step=0.1)
            self.unit = gui.add_text("unit", "m")
            self.set = gui.add_button("Set scale", hint="For distances here, and for exports")
            self.reset = gui.add_button("Back to 1", color="gray")
            self.twin = gui.add_html("")
        self.length.precision = 6
        self.pick.on_click(lambda _: self._toggle())
        self.undo.on_click(lambda _: self._remove(1))
        self.clear.on_click(lambda _: self._remove(len(self.pairs)))
        self.unit.on_update(lambda _: self._tell())
        self.set.on_click(lambda _: self._scale())
        self.reset.on_click(lambda _: page.edits.set_scale(1.0))
        page.edits.on_change(self._tell)
        self._tell()

    def _toggle(self) -> None:
        scene = self.page.server.scene
        with self.lock:
            if self.picks is None:
                self.picks = scene.on_click()(self._picked)
                self.pick.label = PICKING
            else:
                scene.remove_click_callback(self.picks)
                self.picks, self.pick.label = None, PICK
                if self.first is not None:
                    self.first = None
                    self._drop(self.nodes.pop())

    def _picked(self, event: Any) -> None:
        page, camera = self.page, event.client.camera
        origin, direction = (
            np.array(v, np.float64) for v in (event.ray_origin, event.ray_direction)
        )
        focal_px = 0.5 * camera.image_height / np.tan(0.5 * camera.fov)
        origin /= page.scale
        with page.stage.pace.turn():
            point, alpha = point_under(
                page.stage.render, page.stage.splats, origin, direction, focal_px
            )
        with self.lock:
            if self.picks is None:
                return
            if point is None:
                self.note.content = f"nothing solid there: alpha is {alpha:.2f}"
                return
            size = POINT_SIZE * float(np.linalg.norm(point - origin))
            if self.first is None:
                self.first = point
                self.nodes.append([self._ball(len(self.pairs), "a", point, size)])
            else:
                self._pair(self.first, point, size)

    def _pair(self, a: Float64[np.ndarray, "3"], b: Float64[np.ndarray, "3"], size: float) -> None:
        number, scene, scale = len(self.pairs), self.page.server.scene, self.page.scale
        self.nodes[-1] += [
            self._ball(number, "b", b, size),
            scene.add_line_segments(
                f"/measure/{number}/line",
                scale * np.array([[a, b]], np.float32),
                COLOUR,
                thickness=2.5,
                thickness_units="screen",
            ),
            scene.add_label(
                f"/measure/{number}/label",
                "",
                position=scale * 0.5 * (a + b),
                anchor="bottom-center",
            ),
        ]
        self.pairs.append((a, b))
        self.first = None
        self._toggle()
        self._tell()

    def _ball(self, number: int, end: str, point: np.ndarray, size: float) -> Any:
        return self.page.server.scene.add_icosphere(
            f"/measure/{number}/{end}",
            radius=self.page.scale * size,
            color=COLOUR,
            position=self.page.scale * point,
            cast_shadow=False,
            receive_shadow=False,
        )

    def _remove(self, count: int) -> None:
        with self.lock:
            if self.picks is not None:
                self._toggle()
            for _ in range(min(count, len(self.pairs))):
                self.pairs.pop()
                self._drop(self.nodes.pop())
        self._tell()

    def _drop(self, nodes: list[Any]) -> None:
        for node in nodes:
            node.remove()

    def _length(self, index: int) -> float:
        a, b = self.pairs[index]
        return float(np.linalg.norm(b - a))

    def _scale(self) -> None:
        if self.pairs:
            measured = self._length(int(self.which.value) - 1)
            self.page.edits.set_scale(real_scale(measured, self.length.value))

    def _tell(self) -> None:
        with self.lock:
            count, scale = len(self.pairs), self.page.edits.scale
            unit = f" {plain(self.unit.value)}" if scale != 1.0 else ""
            texts = [f"{scale * self._length(index):.4g}{unit}" for index in range(count)]
            for nodes, text in zip(self.nodes, texts, strict=False):
                nodes[-1].text = text
            self.note.content = "  \n".join(f"{i + 1}: **{text}**" for i, text in enumerate(texts))
            for part in (self.undo, self.clear, self.real):
                part.visible = count > 0
            self.which.options = tuple(str(i + 1) for i in range(count)) or ("1",)
            self.twin.content = panel_html(export_command(self.page))
