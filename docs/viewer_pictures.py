"""The pictures of viewer.md: `python docs/viewer_pictures.py RUN [RUN_B] [--only NAME ...]`.

Opens the page of a run as `darb3d view` does, works its panels in a headless Chromium and writes
docs/viewer/NAME.jpg. A picture more is one function and one line in PICTURES.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from viewer_desk import Desk  # noqa: E402
from viewer_pages import Training, of_classes, of_cloud, of_motion, opened  # noqa: E402

SIZE = (1280, 760)
MOST_BYTES = 100_000
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--no-first-run")


def scene(desk: Desk) -> None:
    """The page as it opens."""


def photos(desk: Desk) -> None:
    """Cameras with their photos."""
    desk.check("cameras")
    desk.look_from(1.3, 0.9, 0.3)


def compare(desk: Desk) -> None:
    """Photo, render and error."""
    desk.number("photo", 14)
    desk.check("compare")


def by_browser(desk: Desk) -> None:
    """Drawn by the browser."""
    desk.choose("drawn by", "browser, fast")


def mode(name: str) -> Callable[[Desk], None]:
    """One of the modes of the picture."""
    return lambda desk: desk.choose("show", name)


def points(desk: Desk) -> None:
    """COLMAP's points without the splats, with the cameras that found them."""
    desk.choose("points", "alone")
    desk.number("size", 2)
    desk.check("cameras")
    desk.look_from(1.3, 0.9, 0.3)


def wipe(desk: Desk) -> None:
    """Two runs either side of an edge."""
    desk.choose("both", "wipe")


def edit(desk: Desk) -> None:
    """A crop box around the bananas, and the sizes and opacities of what is in it."""
    desk.tab("Edit")
    desk.look_from(0.3, 0.25, 0.2)
    desk.check("crop")


def floaters(desk: Desk) -> None:
    """Likely floaters, marked."""
    desk.tab("Edit")
    desk.show("Likely floaters")
    desk.press("Find floaters")
    desk.rest(6.0)
    desk.number("strength", 0.7)
    desk.show("hide")


def measure(desk: Desk) -> None:
    """A distance between two points, which sets the scale."""
    desk.tab("Measure")
    desk.press("Measure")
    desk.page.get_by_role("button", name="Click two points").wait_for()
    desk.click(0.26, 0.6)
    desk.until_placed("/measure/0/a")
    desk.click(0.5, 0.55)
    desk.until_placed("/measure/0/label")
    desk.page.get_by_label("is really", exact=True).fill("0.19")
    desk.press("Set scale")


def path(desk: Desk) -> None:
    """Five key frames and the path through them."""
    desk.tab("Path")
    for aside in (-0.9, -0.45, 0.0, 0.45, 0.9):
        desk.look_from(0.0, 0.05, aside)
        desk.rest()
        desk.press("Add this view")
    desk.look_from(2.2, 1.3, 0.6)


def export(desk: Desk) -> None:
    """What other programs open, with the command that writes the same."""
    desk.tab("Export")
    desk.choose("format", ".glb, glTF")
    desk.check("as Gaussians")


def training(desk: Desk) -> None:
    """The page while training runs, with its curves."""
    desk.page.get_by_text("time left", exact=True).first.wait_for(timeout=600_000)
    desk.page.wait_for_timeout(30_000)


def cloud(desk: Desk) -> None:
    """COLMAP's points as a cloud of their own; its y points down."""
    desk.choose("up", "-y")
    desk.number("point size", 2)


def classes(desk: Desk) -> None:
    """What a classifier says of a cloud, and why."""
    desk.number("point size", 0.4)
    desk.check("learned Gaussians")
    desk.check("deciding points")


def skeleton(desk: Desk) -> None:
    """A motion with trails."""
    desk.choose("trails", "ends of limbs")
    desk.number("frame", 40)


ALONE: dict[str, Callable[[], Any]] = {
    "cloud": of_cloud,
    "classes": of_classes,
    "skeleton": of_motion,
    "training": Training,
}
"""Pictures of other things than runs."""

PICTURES: dict[str, Callable[[Desk], None]] = {
    "scene": scene,
    "photos": photos,
    "compare": compare,
    "browser": by_browser,
    "depth": mode("depth"),
    "count": mode("splats a pixel"),
    "contribution": mode("contribution"),
    "ellipsoids": mode("ellipsoids"),
    "points": points,
    "edit": edit,
    "floaters": floaters,
    "measure": measure,
    "path": path,
    "export": export,
    "training": training,
    "cloud": cloud,
    "classes": classes,
    "skeleton": skeleton,
    "versus": scene,
    "wipe": wipe,
}
"""By file name; run in this order."""
OF_TWO_RUNS = {"versus", "wipe"}


def main() -> None:
    """Take the pictures that are asked for, all by default."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("run_b", type=Path, nargs="?")
    parser.add_argument("--only", nargs="*", choices=list(PICTURES), default=list(PICTURES))
    parser.add_argument("--to", type=Path, default=HERE / "viewer")
    asked = parser.parse_args()
    asked.to.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if asked.run_b is None:
        asked.only = [name for name in asked.only if name not in OF_TWO_RUNS]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
        for name in asked.only:
            take(browser, asked, name)
        browser.close()


def take(browser: Any, asked: argparse.Namespace, name: str) -> None:
    """A fresh page for each picture: no panel is left as another picture had it."""
    if name in ALONE:
        viewer = ALONE[name]()
    else:
        viewer = opened([asked.run, asked.run_b] if name in OF_TWO_RUNS else [asked.run])
    page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
    try:
        page.goto(viewer.address)
        page.wait_for_selector("canvas")
        desk = Desk(viewer, page)
        desk.rest(most=20.0)
        for notice in page.locator(".mantine-Notification-closeButton").all():
            notice.click()  # that WebGL is drawn by software here
        PICTURES[name](desk)
        page.mouse.move(5, SIZE[1] - 5)  # no hint hangs over the panel
        desk.rest(most=20.0)
        path = asked.to / f"{name}.jpg"
        path.write_bytes(small_jpeg(page.screenshot()))
        print(f"{path}: {path.stat().st_size:,} bytes")
    finally:
        page.close()
        viewer.close()


def small_jpeg(png: bytes) -> bytes:
    """The picture as the best JPEG below MOST_BYTES."""
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for quality in range(90, 30, -5):
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=quality, optimize=True, progressive=True)
        if data.tell() < MOST_BYTES:
            break
    return data.getvalue()


if __name__ == "__main__":
    main()
