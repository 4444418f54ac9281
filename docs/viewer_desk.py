"""A page of the viewer, and hands to work it with."""

from __future__ import annotations

import time
from typing import Any

import numpy as np


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

    def press(self, label: str) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=label, exact=True).first.click()

    def click(self, across: float, down: float) -> None:
        """Click the picture, at shares of its width and height, panel included."""
        size = self.page.viewport_size
        self.page.mouse.click(across * size["width"], down * size["height"])
        self.rest()

    def number(self, label: str, value: float) -> None:
        """Type into the box beside a slider."""
        label_ = self.page.locator("label").get_by_text(label, exact=True).first
        box = label_.locator("xpath=../../..").locator("input[inputmode=decimal]").last
        box.fill(str(value))
        box.press("Enter")

    def show(self, text: str) -> None:
        """Scroll the panel to a text."""
        self.page.get_by_text(text, exact=True).first.scroll_into_view_if_needed()

    def until_placed(self, name: str, seconds: float = 60.0) -> None:
        """Wait until something stands in the scene."""
        end = time.monotonic() + seconds
        while self.viewer._server.scene.get_handle_by_name(name) is None:
            if time.monotonic() > end:
                raise SystemExit(f"{name}: expected in the scene, found nothing after {seconds} s")
            time.sleep(0.1)

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

    def rest(self, seconds: float = 1.5, most: float = 60.0) -> None:
        """Wait until nothing on the page has changed for a while; a page of a training never
        rests."""
        before, begin = b"", time.monotonic()
        since = begin
        while time.monotonic() - since < seconds and time.monotonic() - begin < most:
            now = self.page.screenshot()
            if now != before:
                before, since = now, time.monotonic()
            time.sleep(0.2)
