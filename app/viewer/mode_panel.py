"""What the picture shows: colours, depth, alpha, splats a pixel, contribution, ellipsoids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import modes
from app.contact_sheet import HEAT
from app.frames import LEVEL, Look
from app.viewer.captions import legend_html, line_html
from app.viewer.contribution_mode import ContributionMode
from app.viewer.twin import panel_html, render_command

if TYPE_CHECKING:
    from app.viewer.page import Page

NAMES: dict[str, modes.What] = {
    "colours": "rgb",
    "depth": "depth",
    "alpha": "alpha",
    "splats a pixel": "count",
    "contribution": "contribution",
    "ellipsoids": "ellipsoids",
}
ABOUT: dict[modes.What, str] = {
    "rgb": "",
    "depth": "Mean depth along the view, in units of the scene; near is bright.",
    "alpha": "White is opaque; where it is dark one looks through.",
    "count": "Splats that reach a pixel with an alpha of 1/255 or more, those behind others too: "
    "what a picture costs.",
    "contribution": "Pixels that a splat paints in all photos together: its blending weights, "
    "summed. Dark ones could go without being missed.",
    "ellipsoids": "Each splat solid, out to where its paint has faded to the level; fainter ones "
    "are left out.",
}


def number(value: float) -> str:
    """Three digits, as people write them."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def range_html(what: modes.What, limits: modes.Range) -> str:
    """The legend of a heat map."""
    if what == "depth":
        return legend_html(HEAT.tolist(), (number(limits.low), number(limits.high)), reverse=True)
    marks = (number(limits.low), number(limits.high) + " and more")
    return legend_html(HEAT.tolist(), marks, limits.note)


def add(page: Page) -> None:
    """The folder "Picture"."""
    gui, stage = page.server.gui, page.stage
    names = tuple(name for name, what in NAMES.items() if page.views or what != "contribution")
    with gui.add_folder("Picture"):
        shown = gui.add_dropdown("show", names)
        legend = gui.add_html("", visible=False)
        level = gui.add_slider(
            "level", 0.01, 0.95, 0.01, LEVEL, visible=False, hint="Alpha at the surface"
        )
        bar = gui.add_progress_bar(0.0, visible=False, animated=True)
        about = gui.add_html("", visible=False)
        twin = gui.add_html("", visible=False)
        detail = gui.add_slider("detail", 0.25, 1.0, 0.25, 1.0, hint="Size of a picture at rest")

    def say(text: str, limits: str = "") -> None:
        if about.content != (line := line_html(text)):
            about.content, about.visible = line, bool(text)
        if legend.content != limits:
            legend.content, legend.visible = limits, bool(limits)

    def progress(share: float | None) -> None:
        bar.visible = share is not None
        bar.value = 100.0 * (share or 0.0)

    def measured(limits: modes.Range) -> None:
        if NAMES[shown.value] == "contribution":
            say(ABOUT["contribution"], range_html("contribution", limits))

    contribution = ContributionMode(page, progress, measured)

    ranges: dict[modes.What, modes.Range] = {}

    def ranged(what: modes.What, splats: Any, draw: Callable[[Any], modes.Drawn]) -> modes.Drawn:
        """In its own range, which is said; but a second run in that of the first, beside it."""
        second = stage.layout is not None and stage.rows(splats)[0] is not stage.source
        picture = draw(ranges.get(what) if second else None)
        if picture.range is not None and not second and NAMES[shown.value] == what:
            ranges[what] = picture.range
            say(ABOUT[what], range_html(what, picture.range))
        return picture

    def depth(plain: Any, splats: Any, camera: Any) -> Any:
        return ranged("depth", splats, lambda r: modes.depth(plain(splats, camera), r))

    def count(_plain: Any, splats: Any, camera: Any) -> Any:
        return ranged("count", splats, lambda r: modes.count(splats, camera, r))

    def ellipsoids(_plain: Any, splats: Any, camera: Any) -> Any:
        from splatting import ellipsoids

        return ellipsoids.draw(splats, camera, level.value)

    ways = {
        "rgb": None,
        "depth": depth,
        "alpha": lambda plain, splats, camera: modes.alpha(plain(splats, camera)),
        "count": count,
        "contribution": contribution,
        "ellipsoids": ellipsoids,
    }

    def tell() -> None:
        what, surface = page.look.what, page.look.level
        twin.visible = what != "rgb"
        twin.content = panel_html(
            render_command(page, out=Path("film.mp4"), what=what, level=surface)
        )

    def choose(_event: object = None) -> None:
        what = NAMES[shown.value]
        say(ABOUT[what])
        level.visible = what == "ellipsoids"
        stage.mode = ways[what]
        page.show_as(Look(what, level.value if what == "ellipsoids" else LEVEL))
        page.wake()

    page.on_look(tell)
    page.edits.on_change(tell)
    shown.on_update(choose)
    level.on_update(choose)

    @detail.on_update
    def _(_event: object) -> None:
        stage.detail = detail.value
        page.wake()
