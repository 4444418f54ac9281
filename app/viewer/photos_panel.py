"""The photos: jump to each, see their cameras in the scene, compare each with its render."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.commands import eval as score
from app.contact_sheet import HEAT, LARGEST_ERROR
from app.viewer.captions import legend_html, line_html
from app.viewer.frustums import MOST_SHOWN, TEST_COLOUR, TRAIN_COLOUR, Frustums
from app.viewer.photo_split import PhotoSplit
from app.viewer.twin import panel_html

if TYPE_CHECKING:
    from app.viewer.page import Page
    from data.scene import View

_ABOUT = (
    "<div style='padding:0 0.85em 0.5em; font-size:0.82em; display:flex; gap:0.6em; "
    "flex-wrap:wrap; align-items:baseline'><span style='font-weight:600'>{name}</span>"
    "<span style='color:rgb{colour}'>{split}</span>"
    "<span style='opacity:0.6'>{width} x {height}</span>"
    "<span style='font-variant-numeric:tabular-nums'>{psnr}</span></div>"
)


def about_html(view: View, psnr: float | None) -> str:
    """Name, split, size and score of a photo; names are escaped."""
    held_out = view.split == "test"
    return _ABOUT.format(
        name=html.escape(view.name),
        colour=TEST_COLOUR if held_out else TRAIN_COLOUR,
        split="held out" if held_out else "training",
        width=view.camera.width,
        height=view.camera.height,
        psnr="" if psnr is None else f"PSNR {psnr:.2f} dB",
    )


def add(page: Page) -> None:
    """The folder "Photos"; nothing where a scene came without any."""
    if not page.views:
        return
    gui = page.server.gui
    scene = Path(page.scene_option) if page.scene_option else None
    command = score.Command(Path(page.source or "RUN"), scene, sheet=Path("sheet.jpg"))
    with gui.add_folder("Photos"):
        number = gui.add_slider("photo", 1, len(page.views), 1, 1, hint="Stand where it was taken")
        about = gui.add_html(about_html(page.views[0], None))
        many = len(page.views) > MOST_SHOWN
        cameras = gui.add_checkbox(
            "cameras",
            False,
            hint=f"Click one to stand there. Blue: training, orange: held out"
            f"{f'; {MOST_SHOWN} of {len(page.views):,} shown' if many else ''}",
        )
        comparing = gui.add_checkbox(
            "compare", False, hint="Photo, render and error wherever you stand at a photo"
        )
        shares = gui.add_multi_slider(
            "split",
            0,
            100,
            1,
            (33, 67),
            marks=((0, "photo"), (50, "render"), (100, "error")),
            visible=False,
            hint="Photo left of the first handle, error right of the second",
        )
        ramp = legend_html(HEAT.tolist(), ("0", f"{LARGEST_ERROR:g} and more"))
        legend = gui.add_html(ramp, visible=False)
        hint = gui.add_html(line_html("Shown for as long as you stand at a photo."), visible=False)
        twin = gui.add_html(panel_html(command), visible=False)

    def scored(index: int, psnr: float) -> None:
        about.content = about_html(page.views[index], psnr)

    split = PhotoSplit(page, scored)

    def go(index: int, client: Any) -> None:
        if number.value != index + 1:
            number.value = index + 1
        about.content = about_html(page.views[index], split.score(index))
        page.stand_at(index, client)

    frustums = Frustums(page, go)

    @number.on_update
    def _(event: Any) -> None:
        if event.client is not None:  # not our own setting of it
            go(int(number.value) - 1, event.client)

    @cameras.on_update
    def _(_event: object) -> None:
        frustums.show(cameras.value)

    @comparing.on_update
    def _(event: Any) -> None:
        if comparing.value:
            page.stage.takeovers["photo"] = split
        else:
            page.stage.takeovers.pop("photo", None)
        for handle in (shares, legend, hint, twin):
            handle.visible = comparing.value
        if comparing.value:
            go(int(number.value) - 1, event.client)
        page.wake()

    @shares.on_update
    def _(_event: object) -> None:
        split.shares = shares.value[0] / 100, shares.value[1] / 100
        page.wake()
