"""The scene around the splats: COLMAP's points, and which way is up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from app.contact_sheet import PAPER
from app.viewer.captions import line_html
from app.viewer.stage import Picture

if TYPE_CHECKING:
    from app.viewer.page import Page

HIDDEN, AMONG, ALONE = "hidden", "among the splats", "alone"
MOST_POINTS = 400_000
"""More are thinned: a browser holds each of them."""
GREY = np.array([170, 175, 182], np.uint8)
ESTIMATED, AS_NOW = "as the photos are held", "as my camera is now"
AXES = {
    "+x": (1.0, 0, 0),
    "-x": (-1.0, 0, 0),
    "+y": (0, 1.0, 0),
    "-y": (0, -1.0, 0),
    "+z": (0, 0, 1.0),
    "-z": (0, 0, -1.0),
}


def thinned(count: int) -> slice | np.ndarray:
    """Which of `count` points are shown: all, or evenly many."""
    if count <= MOST_POINTS:
        return slice(None)
    return np.linspace(0, count - 1, MOST_POINTS).astype(np.int64)


def add(page: Page) -> None:
    """The folder "Scene"."""
    with page.server.gui.add_folder("Scene"):
        if page.scene is not None and len(page.scene.points.xyz):
            _add_points(page)
        _add_up(page)


def _add_points(page: Page) -> None:
    gui, stage = page.server.gui, page.stage
    assert page.scene is not None
    xyz, rgb = page.scene.points.xyz, page.scene.points.rgb
    count = len(xyz)
    shown = gui.add_dropdown(
        "points",
        (HIDDEN, AMONG, ALONE),
        initial_value=HIDDEN,
        hint=f"The {count:,} points that the cameras were found by"
        + (f", {MOST_POINTS:,} of them" if count > MOST_POINTS else ""),
    )
    size = gui.add_slider("size", 0.25, 6.0, 0.25, 1.0, visible=False)
    unit = 0.02 * page.scale * page.frustum_size
    cloud: list[Any] = []

    def empty(camera: Any, _client: Any) -> Picture:
        shape = camera.height, camera.width
        rgb = np.broadcast_to(np.array(PAPER, np.uint8), (*shape, 3)).copy()
        return Picture(rgb, np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    @shown.on_update
    def _(_event: object) -> None:
        visible = shown.value != HIDDEN
        if visible and not cloud:
            part = thinned(count)
            colours = GREY if rgb is None else rgb[part]
            cloud.append(
                page.server.scene.add_point_cloud(
                    "/points",
                    np.asarray(page.scale * xyz[part], np.float32),
                    colours,
                    point_size=size.value * unit,
                    point_shape="circle",
                    precision="float32",
                )
            )
        for handle in cloud:
            handle.visible = visible
        size.visible = visible
        stage.takeovers.pop("points", None)
        if shown.value == ALONE:
            stage.takeovers["points"] = empty
        stage.want_depth("points", visible)
        page.wake()

    @size.on_update
    def _(_event: object) -> None:
        for handle in cloud:
            handle.point_size = size.value * unit


def _add_up(page: Page) -> None:
    gui = page.server.gui
    choices = (ESTIMATED, *AXES, AS_NOW)
    chosen = gui.add_dropdown(
        "up",
        choices,
        initial_value=ESTIMATED,
        hint="What the camera turns around; for the page alone, nothing is written",
    )
    about = gui.add_html(up_html(page.up))

    @chosen.on_update
    def _(event: Any) -> None:
        if chosen.value == AS_NOW:
            if event.client is None:
                return
            up = upwards_of(event.client.camera.wxyz)
        else:
            up = np.array(AXES.get(chosen.value, page.up))
        about.content = up_html(up)
        page.turn_up(up)


def upwards_of(wxyz: Float[np.ndarray, "4"]) -> Float[np.ndarray, "3"]:
    """What is upwards in a picture, in the scene: the camera's -y."""
    import viser.transforms as transforms

    return -transforms.SO3(np.asarray(wxyz, np.float64)).as_matrix()[:, 1]


def up_html(up: Float[np.ndarray, "3"] | None) -> str:
    """A direction for people to read."""
    if up is None:
        return ""
    return line_html("up is ({:.2f}, {:.2f}, {:.2f})".format(*(np.asarray(up) + 0.0)))
