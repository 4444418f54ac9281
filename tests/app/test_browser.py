"""What a person sees: the page in a real browser, drawn by software.

Needs Chromium; without it these tests are skipped, or fail when DARB3D_REQUIRE_BROWSER=1.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from browsing import a_scene, opened, seen, settle, sky

from app.viewer import Viewer


@pytest.fixture
def viewer():
    shown = Viewer("sky", "gaussian", port=0, render=sky)
    shown.show_scene(a_scene())
    yield shown
    shown.close()


@pytest.fixture
def page(browser, viewer):
    with opened(browser, viewer.address, 960, 600) as shown:
        yield shown


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
    try:
        viewer.show_finished(splats, None)
        with opened(browser, viewer.address, 960, 600) as page:
            truth = {"render": splatting.render, "splats": splats}
            assert settle(viewer, page, **truth) < 0.02
            assert seen(page).std() > 0.05
    finally:
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
