"""What tests of the page share: a scene known in every direction, and what the page shows."""

from __future__ import annotations

import io
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.viewer.cameras import camera_from_pose
from data.camera import Camera

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def missing(reason: str) -> None:
    """Skip, or fail where a browser is required."""
    if os.environ.get("DARB3D_REQUIRE_BROWSER") == "1":
        pytest.fail(f"DARB3D_REQUIRE_BROWSER=1, but {reason}")
    pytest.skip(reason)


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("no chromium on this machine (apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("no playwright (pip install playwright)")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, address: str, width: int, height: int) -> Iterator[Any]:
    """A tab with the page at `address`, closed at the end."""
    page = browser.new_page(viewport={"width": width, "height": height})
    try:
        page.goto(address)
        page.wait_for_selector("canvas", timeout=60_000)
        yield page
    finally:
        page.close()


def sky(_splats, camera: Camera) -> SimpleNamespace:
    """A scene known in every direction: smooth colours with two soft waves."""
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    fx, fy, cx, cy = camera.K[[0, 1, 0, 1], [0, 1, 2, 2]]
    rays = np.stack([(x - cx) / fx, (y - cy) / fy, np.ones_like(x)], -1)
    rays = rays @ camera.cam_from_world[:3, :3]
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    rgb = 0.5 + 0.3 * rays + 0.2 * np.sin(4 * rays[..., ::-1])
    shape = x.shape
    return SimpleNamespace(rgb=np.clip(rgb, 0, 1), alpha=np.ones(shape), depth=np.full(shape, 10.0))


def a_scene() -> SimpleNamespace:
    """Nine cameras around nothing in particular."""
    views = []
    for index, angle in enumerate(np.linspace(-0.6, 0.6, 9)):
        c, s = np.cos(angle), np.sin(angle)
        cam_from_world = np.eye(4)
        cam_from_world[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
        cam_from_world[:3, 3] = [0, 0, 4]
        K = np.array([[300.0, 0, 200], [0, 300, 150], [0, 0, 1]])
        split = "train" if index % 8 else "test"
        view = SimpleNamespace(
            name=f"{index}.jpg", camera=Camera(K, cam_from_world, 400, 300), split=split
        )
        views.append(view)
    rng = np.random.default_rng(0)
    points = SimpleNamespace(xyz=rng.normal(size=(200, 3)), rgb=None)
    return SimpleNamespace(
        name="sky",
        points=points,
        train=tuple(view for view in views if view.split == "train"),
        test=tuple(view for view in views if view.split == "test"),
    )


def seen(page) -> np.ndarray:
    """The picture on the page without its panel, float 0..1."""
    import PIL.Image

    box = page.locator("canvas").first.bounding_box()
    data = page.screenshot(clip=box)
    return np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"), np.float32) / 255


def distance_from_truth(viewer, page, render=sky, splats=None) -> float:
    """Mean absolute difference between page and direct render, in the half free of notices."""
    image = seen(page)
    height, width = image.shape[:2]
    clients = list(viewer.clients().values())
    if not clients:
        return 1.0
    view = clients[0].camera
    camera = camera_from_pose(view.wxyz, view.position, view.fov, width, height)
    truth = np.clip(render(splats, camera).rgb, 0, 1)
    half = slice(width // 2, None)
    return float(np.mean(np.abs(image[:, half] - truth[:, half])))


def settle(viewer, page, below: float = 0.02, **truth) -> float:
    """Wait until the page shows the truth; the last distance."""
    distance = 1.0
    for _ in range(40):
        distance = distance_from_truth(viewer, page, **truth)
        if distance < below:
            break
        time.sleep(0.25)
    return distance


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait for something on the page; its last answer."""
    end = time.monotonic() + seconds
    while not (answer := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    return answer


def press(page, label: str) -> None:
    """A checkbox or a button."""
    page.get_by_label(label, exact=True).first.click()


def push(page, name: str) -> None:
    """A button, by all of its text."""
    page.get_by_role("button", name=name, exact=True).click()


def bring_tab(page, name: str) -> None:
    """A tab of the panel to the front."""
    page.get_by_role("tab", name=name).click()


def row(page, label: str):
    """A labelled line of the panel."""
    return page.locator("label").get_by_text(label, exact=True).first.locator("xpath=../../..")


def type_number(page, label: str, number: float) -> None:
    """Into the box beside a slider."""
    box = row(page, label).locator("input[inputmode=decimal]").last
    box.fill(str(number))
    box.press("Enter")


def choose(page, label: str, option: str) -> None:
    """An option of a dropdown."""
    page.get_by_label(label, exact=True).first.click()
    page.get_by_role("option", name=option, exact=True).click()
