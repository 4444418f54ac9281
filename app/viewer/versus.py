"""Two runs in one picture, seen by one camera: side by side, or either side of a wipe."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from jaxtyping import UInt8

from app.commands import view
from app.viewer.captions import write_labels
from app.viewer.scene_view import to_uint8
from app.viewer.stage import Picture
from app.viewer.twin import panel_html

if TYPE_CHECKING:
    from app.viewer.page import Page
    from data.camera import Camera

Way = Literal["side by side", "wipe", "first", "second"]
RULE = (232, 236, 241)
_ROW = "<tr><td style='opacity:0.6; padding-right:0.8em'>{}</td><td>{}</td><td>{}</td></tr>"


@dataclass(frozen=True, eq=False)
class Contestant:
    """One of two runs on a page."""

    name: str
    source: str
    """As a command line would name it."""
    splats: Any
    psnr: float | None = None
    on: str = ""
    """What that PSNR was measured on."""

    @property
    def label(self) -> str:
        """Name and score, as they stand above its picture."""
        return self.name if self.psnr is None else f"{self.name}  {self.psnr:.2f} dB"


def halves(camera: Camera) -> tuple[Camera, Camera]:
    """The camera for the left and for the right half: same place, same scale, centred in each."""
    left, right = camera.width // 2, camera.width - camera.width // 2
    return _cut(camera, 0.5 * (camera.width - left), left), _cut(camera, 0.5 * left, right)


def parts(camera: Camera, share: float) -> tuple[Camera, Camera]:
    """The camera's picture up to a share of its width, and the rest; at least a column of each."""
    edge = min(max(round(share * camera.width), 1), camera.width - 1)
    return _cut(camera, 0, edge), _cut(camera, edge, camera.width - edge)


def _cut(camera: Camera, first: float, width: int) -> Camera:
    """`width` columns of the camera's picture from `first` on."""
    intrinsics = camera.K.copy()
    intrinsics[0, 2] -= first
    return replace(camera, K=intrinsics, width=width)


class Versus:
    """A layout of the stage, and the labels over it."""

    def __init__(self, page: Page, first: Contestant, second: Contestant) -> None:
        self.way: Way = "side by side"
        self.share = 0.5
        self._stage = page.stage
        self._two = first, second

    def __call__(self, draw: Callable[[Any, Camera], Any], camera: Camera) -> Any:
        """The picture of `camera`, in which both are drawn by `draw`."""
        first, second = self._stage.splats, self._stage.filtered(self._two[1].splats)
        if self.way in ("first", "second"):
            return draw(first if self.way == "first" else second, camera)
        side_by_side = self.way == "side by side"
        cameras = halves(camera) if side_by_side else parts(camera, self.share)
        left, right = draw(first, cameras[0]), draw(second, cameras[1])
        rgb = np.concatenate([to_uint8(left.rgb), to_uint8(right.rgb)], axis=1)
        alpha = np.concatenate([left.alpha, right.alpha], axis=1)
        depth = np.concatenate([left.depth, right.depth], axis=1)
        if side_by_side:
            # the page would draw what else stands in the scene once, over both
            alpha, depth = np.ones_like(alpha), np.zeros_like(depth)
        return Picture(rgb, alpha, depth)

    def label(
        self, picture: UInt8[np.ndarray, "h w 3"], _camera: Any, _client: Any
    ) -> UInt8[np.ndarray, "h w 3"]:
        """An overlay: who is where."""
        width = picture.shape[1]
        first, second = (contestant.label for contestant in self._two)
        if self.way in ("first", "second"):
            return write_labels(picture, [(first if self.way == "first" else second, 0, width)])
        share = 0.5 if self.way == "side by side" else self.share
        edge = min(max(int(share * width), 1), width - 1)
        picture = picture.copy()
        picture[:, edge - 1 : edge + 1] = RULE
        return write_labels(picture, [(first, 0, edge), (second, edge, width)])


def table_html(first: Contestant, second: Contestant) -> str:
    """Both in numbers, side by side; all text is escaped."""

    def cells(of: Callable[[Contestant], str]) -> tuple[str, str]:
        return html.escape(of(first)), html.escape(of(second))

    def score(one: Contestant) -> str:
        return "-" if one.psnr is None else f"{one.psnr:.2f} dB"

    rows = [
        ("run", *cells(lambda one: one.name)),
        ("kernel", *cells(lambda one: one.splats.kernel.name)),
        ("splats", *cells(lambda one: f"{len(one.splats):,}")),
        ("PSNR", *cells(score)),
    ]
    if first.on or second.on:
        rows.append(("measured on", *cells(lambda one: one.on)))
    body = "".join(_ROW.format(*row) for row in rows)
    return (
        "<div style='padding:0 0.85em 0.5em'><table style='width:100%; font-size:0.82em; "
        f"font-variant-numeric:tabular-nums; overflow-wrap:anywhere'>{body}</table></div>"
    )


def add(page: Page) -> None:
    """The folder "Compare"; nothing where there is one run."""
    if page.contestants is None:
        return
    first, second = page.contestants
    versus, gui = Versus(page, first, second), page.server.gui
    names: dict[str, Way] = dict(zip(("side by side", "wipe"), get_args(Way)[:2], strict=True))
    names |= {f"{first.name} alone": "first", f"{second.name} alone": "second"}
    with gui.add_folder("Compare"):
        way = gui.add_dropdown(
            "both", tuple(names), initial_value="side by side", hint="One camera for the two"
        )
        edge = gui.add_slider("wipe", 0, 100, 1, 50, visible=False)
        gui.add_html(table_html(first, second))
        gui.add_html(panel_html(view.Command(Path(first.source), (Path(second.source),))))
    page.stage.layout = versus
    page.stage.overlays["versus"] = versus.label

    @way.on_update
    def _(_event: object) -> None:
        versus.way = names[way.value]
        edge.visible = versus.way == "wipe"
        page.wake()

    @edge.on_update
    def _(_event: object) -> None:
        versus.share = edge.value / 100
        page.wake()
