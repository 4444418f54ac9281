"""The known scene on a page, and hands to work it; its fixtures are in conftest.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from browsing import settle

import data
import splatting
from app.viewer import Viewer
from app.viewer.cameras import camera_from_pose
from splatting.export import load_ply, save_ply
from splatting.splats import Splats

SAMPLE = Path(data.__file__).parent / "samples" / "synth_splats"
ORIGIN = (100.0, -20.0, 3.0)
"""Where the model has the zero of the splats: what panels show is in its coordinates."""


def known_splats() -> Splats:
    """The known scene with one splat in the air."""
    known = load_ply(SAMPLE / "gt_splats.ply")
    means, logits = known.means.copy(), known.logit_opacities.copy()
    means[0], logits[0] = (0.5, 0.4, 1.0), -0.1
    return replace(known, means=means, logit_opacities=logits, origin_world=ORIGIN)


def known_viewer(splats: Splats, source: Path) -> Viewer:
    """A page of `splats`, which are saved at `source` too, for commands."""
    save_ply(source, splats)
    viewer = Viewer("known", "gaussian", port=0, source=str(source))
    viewer.show_finished(splats, replace(data.load_scene(SAMPLE), origin_world=ORIGIN))
    return viewer


def client(viewer):
    return next(iter(viewer.clients().values()))


def shows(viewer, page, splats) -> bool:
    """Whether the page comes to show these splats and no others."""
    return settle(viewer, page, 0.01, render=splatting.render, splats=splats) < 0.01


def picture_box(page) -> dict[str, float]:
    """Where the picture is: while points are picked, an empty canvas lies over its own."""
    return page.locator("canvas[data-engine]").first.bounding_box()


def on_screen(viewer, page, xyz) -> np.ndarray:
    """Where a point of the scene (3,), or each of many (n, 3), is on the screen, in pixels."""
    box = picture_box(page)
    view = client(viewer).camera
    size = round(box["width"]), round(box["height"])
    camera = camera_from_pose(view.wxyz, view.position, view.fov, *size)
    pose = camera.cam_from_world
    at = (xyz @ pose[:3, :3].T + pose[:3, 3]) @ camera.K.T
    return at[..., :2] / at[..., 2:] + [box["x"], box["y"]]


def drag(page, start, end) -> None:
    page.mouse.move(*start)
    page.mouse.move(*(start + 1))
    page.mouse.down()
    page.mouse.move(*end, steps=8)
    page.mouse.up()


def slider(page, label: str):
    """The box with the number beside a slider."""
    beside = "xpath=ancestor::*[.//input[@type='text']][1]//input[@type='text']"
    return page.get_by_text(label, exact=True).locator(beside)


def is_pink(rgb) -> bool:
    """Whether this is the colour of a mark."""
    return bool(rgb[0] > rgb[1] + 0.15 and rgb[2] > rgb[1])


def twin_texts(page) -> list[str]:
    return page.locator("code.d3-twin:visible").all_inner_texts()
