"""The pictures of viewer.md: `python docs/viewer_pictures.py RUN [RUN_B] [--only NAME ...]`.

Opens the page of a run as `darb3d view` does, works its panels in a headless Chromium and writes
docs/viewer/NAME.jpg. A picture more is one function and one line in PICTURES.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

SIZE = (1280, 760)
MOST_BYTES = 100_000
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--no-first-run")


class Desk:
    """A page, and hands to work it with."""

    def __init__(self, viewer: Any, page: Any) -> None:
        self.viewer, self.page = viewer, page

    def tab(self, title: str) -> None:
        """Bring a tab to the front."""
        self.page.get_by_role("tab", name=title).click()

    def check(self, label: str) -> None:
        """Press a checkbox."""
        self.page.get_by_label(label, exact=True).click()

    def choose(self, label: str, option: str) -> None:
        """Take an option of a dropdown."""
        self.page.get_by_label(label, exact=True).first.click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def number(self, label: str, value: float) -> None:
        """Type into the box beside a slider."""
        label_ = self.page.locator("label").get_by_text(label, exact=True).first
        box = label_.locator("xpath=../../..").locator("input[inputmode=decimal]").last
        box.fill(str(value))
        box.press("Enter")

    def show(self, text: str) -> None:
        """Scroll the panel to a text."""
        self.page.get_by_text(text, exact=True).first.scroll_into_view_if_needed()

    def look_from(self, back: float, up: float, aside: float = 0.0) -> None:
        """Stand away from the first photo's place, in units of its distance to what it shows."""
        board = self.viewer._page
        pose = board.poses[0]
        ahead = pose.look_at - pose.position
        place = (
            pose.position
            - back * ahead
            + float(np.linalg.norm(ahead))
            * (up * pose.up + aside * np.cross(ahead, pose.up) / np.linalg.norm(ahead))
        )
        for client in self.viewer.clients().values():
            with client.atomic():
                client.camera.position = board.scale * place
                client.camera.look_at = board.scale * pose.look_at

    def rest(self, seconds: float = 1.5) -> None:
        """Wait until nothing on the page has changed for a while."""
        before, since = b"", time.monotonic()
        while time.monotonic() - since < seconds:
            now = self.page.screenshot()
            if now != before:
                before, since = now, time.monotonic()
            time.sleep(0.2)


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
    viewer = opened([asked.run, asked.run_b] if name in OF_TWO_RUNS else [asked.run])
    page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
    try:
        page.goto(viewer.address)
        page.wait_for_selector("canvas")
        desk = Desk(viewer, page)
        desk.rest()
        for notice in page.locator(".mantine-Notification-closeButton").all():
            notice.click()  # that WebGL is drawn by software here
        PICTURES[name](desk)
        page.mouse.move(5, SIZE[1] - 5)  # no hint hangs over the panel
        desk.rest()
        path = asked.to / f"{name}.jpg"
        path.write_bytes(small_jpeg(page.screenshot()))
        print(f"{path}: {path.stat().st_size:,} bytes")
    finally:
        page.close()
        viewer.close()


def opened(runs: list[Path]) -> Any:
    """The page of one run or of two, as `darb3d view` has it."""
    from app.commands.view import contestants
    from app.loading import load
    from app.viewer import Viewer

    loaded = [load(run) for run in runs]
    scene = loaded[0].scene()
    kernels = " and ".join(one.splats.kernel.name for one in loaded)
    sources = [f"runs/{run.resolve().name}" for run in runs]
    names = " and ".join(run.resolve().name for run in runs)
    splats = loaded[0].splats
    viewer = Viewer(
        names,
        kernels,
        port=0,
        source=sources[0],
        kernel=splats.kernel,
        antialiased=splats.antialiased,
    )
    if len(loaded) == 1:
        viewer.show_finished(loaded[0].splats, scene, loaded[0].metrics)
    else:
        pair = zip(contestants(loaded[0], loaded[1], scene), sources, strict=True)
        first, second = (replace(one, source=source) for one, source in pair)
        viewer.compare(first, second, scene)
    return viewer


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
