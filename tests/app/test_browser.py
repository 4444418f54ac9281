"""What a person sees: the page in a real browser, drawn by software.

Needs Chromium; without it these tests are skipped, or fail when DARB3D_REQUIRE_BROWSER=1.
"""

from __future__ import annotations

import io
import os
import shutil
import time
from types import SimpleNamespace

import numpy as np
import pytest

from app.viewer import Viewer
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


def missing(reason: str):
    if os.environ.get("DARB3D_REQUIRE_BROWSER") == "1":
        pytest.fail(f"DARB3D_REQUIRE_BROWSER=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("no chromium on this machine (apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("no playwright (pip install playwright)")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


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
    points = SimpleNamespace(xyz=np.random.default_rng(0).normal(size=(200, 3)))
    return SimpleNamespace(
        name="sky",
        points=points,
        train=tuple(view for view in views if view.split == "train"),
        test=tuple(view for view in views if view.split == "test"),
    )


@pytest.fixture
def viewer():
    shown = Viewer("sky", "gaussian", port=0, render=sky)
    shown.show_scene(a_scene())
    yield shown
    shown.close()


@pytest.fixture
def page(browser, viewer):
    opened = browser.new_page(viewport={"width": 960, "height": 600})
    opened.goto(viewer.address)
    opened.wait_for_selector("canvas", timeout=30_000)
    yield opened
    opened.close()


def seen(page) -> np.ndarray:
    """The picture on the page without its panel, float 0..1."""
    import PIL.Image

    box = page.locator("canvas").first.bounding_box()
    data = page.screenshot(clip=box)
    return np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"), np.float32) / 255


def distance_from_truth(viewer: Viewer, page, render=sky, splats=None) -> float:
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


def settle(viewer: Viewer, page, below: float = 0.02, **truth) -> float:
    """Wait until the page shows the truth; the last distance."""
    distance = 1.0
    for _ in range(40):
        distance = distance_from_truth(viewer, page, **truth)
        if distance < below:
            break
        time.sleep(0.25)
    return distance


def test_the_page_shows_the_render_and_follows_the_camera(viewer, page):
    viewer.show_splats("any")
    assert settle(viewer, page) < 0.02
    before = seen(page)
    assert before.std() > 0.05, "one colour"

    box = page.locator("canvas").first.bounding_box()
    x, y = box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 120, y + 60, steps=6)
    page.mouse.up()
    time.sleep(0.5)
    assert settle(viewer, page) < 0.02
    assert np.mean(np.abs(seen(page) - before)) > 0.05, "did not follow"


def test_the_first_picture_is_the_first_training_view(viewer, page):
    viewer.show_splats("any")
    assert settle(viewer, page) < 0.02
    (client,) = viewer.clients().values()
    first = a_scene().train[0].camera
    np.testing.assert_allclose(client.camera.position, first.position_world, atol=1e-3)
    assert abs(client.camera.fov - first.fov_y_rad) < 1e-3


def test_splats_are_drawn_by_the_rasteriser_itself(browser):
    import splatting
    from data.clouds import PointCloud
    from splatting import kernels
    from splatting.splats import from_points

    rng = np.random.default_rng(1)
    cloud = PointCloud(rng.normal(size=(60, 3)), rng.integers(0, 256, (60, 3)).astype(np.uint8))
    splats = from_points(cloud, kernels.get("raised-cosine"), opacity=0.9)
    viewer = Viewer("cloud", port=0)
    opened = browser.new_page(viewport={"width": 960, "height": 600})
    try:
        viewer.show_finished(splats, None)
        opened.goto(viewer.address)
        opened.wait_for_selector("canvas", timeout=30_000)
        truth = {"render": splatting.render, "splats": splats}
        assert settle(viewer, opened, **truth) < 0.02
        assert seen(opened).std() > 0.05
    finally:
        opened.close()
        viewer.close()


def test_training_shows_its_numbers_and_the_button_stops_it(viewer, page):
    viewer.begin_training()
    values = {
        "live": "any",
        "psnr": 21.5,
        "loss": 0.125,
        "splats": 12345,
        "steps_per_second": 9.5,
        "progress": 0.25,
        "seconds": 20.0,
    }
    assert viewer.update(70, values)
    for text in ("12,345", "21.50 dB", "0.1250", "1:00"):
        page.get_by_text(text, exact=True).wait_for(timeout=10_000)
    assert settle(viewer, page) < 0.03
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").wait_for(timeout=10_000)
    paused_at = time.monotonic()
    assert viewer.update(70, values, lambda: time.monotonic() > paused_at + 0.5)
    assert time.monotonic() > paused_at + 0.5
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Stop and save").click()
    for _ in range(50):
        if not viewer.update(71, values):
            break
        time.sleep(0.1)
    assert not viewer.update(72, values)


def test_a_failing_render_is_shown_and_a_closed_page_leaves_no_thread(viewer, page):
    def broken(*_):
        raise ValueError("no such splat")

    viewer.show_splats("any")
    assert settle(viewer, page) < 0.02
    viewer._stage.render = broken
    viewer.show_splats("any")
    page.get_by_text("ValueError: no such splat").wait_for(timeout=10_000)
    page.close()
    for _ in range(50):
        if not viewer._workers:
            break
        time.sleep(0.1)
    assert not viewer._workers
