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
from pathlib import Path
from typing import Any

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

    def dolly(self, notches: int) -> None:
        """Step back (or, with a negative number, closer)."""
        self.page.mouse.move(0.35 * SIZE[0], 0.5 * SIZE[1])
        for _ in range(abs(notches)):
            self.page.mouse.wheel(0, 120 if notches > 0 else -120)
            time.sleep(0.1)

    def drag(self, dx: int, dy: int) -> None:
        """Turn around what is looked at."""
        x, y = 0.35 * SIZE[0], 0.5 * SIZE[1]
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + dx, y + dy, steps=8)
        self.page.mouse.up()

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
    desk.dolly(6)
    desk.drag(60, -60)


def compare(desk: Desk) -> None:
    """Photo, render and error."""
    desk.number("photo", 14)
    desk.check("compare")


def mode(name: str) -> Callable[[Desk], None]:
    """One of the modes of the picture."""
    return lambda desk: desk.choose("show", name)


PICTURES: dict[str, Callable[[Desk], None]] = {
    "scene": scene,
    "photos": photos,
    "compare": compare,
    "depth": mode("depth"),
    "count": mode("splats a pixel"),
    "contribution": mode("contribution"),
    "ellipsoids": mode("ellipsoids"),
}
"""By file name; run in this order."""


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
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
        for name in asked.only:
            take(browser, asked, name)
        browser.close()


def take(browser: Any, asked: argparse.Namespace, name: str) -> None:
    """A fresh page for each picture: no panel is left as another picture had it."""
    viewer = opened(asked)
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


def opened(asked: argparse.Namespace) -> Any:
    """The page of the runs, as `darb3d view` has it."""
    from app.loading import load
    from app.viewer import Viewer

    loaded = load(asked.run)
    kernel = loaded.splats.kernel.name
    viewer = Viewer(asked.run.resolve().stem, kernel, port=0, source=f"runs/{asked.run.stem}")
    viewer.show_finished(loaded.splats, loaded.scene(), loaded.metrics)
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
