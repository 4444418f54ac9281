"""The page of a cloud, worked in a real browser: colours, sizes, up, classes, uploads.

Needs Chromium; without it these tests are skipped, or fail when DARB3D_REQUIRE_BROWSER=1.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from browsing import choose, chromium, press, seen, type_number, until
from known_cloud import StubPredictor, ball

from app.viewer.cloud_page import CloudPage


@pytest.fixture(scope="module")
def predictor():
    return StubPredictor()


@pytest.fixture(scope="module")
def shown(predictor):
    # few points: lit balls are slow where WebGL is software
    served = CloudPage(ball(120), "ball.ply", port=0, predictor=predictor)
    yield served
    served.close()


@pytest.fixture(scope="module")
def page(shown):
    with chromium() as browser:
        opened = browser.new_page(viewport={"width": 900, "height": 640})
        opened.goto(shown.address)
        opened.wait_for_selector("canvas", timeout=30_000)
        opened.get_by_text("ball.ply").first.wait_for(timeout=30_000)
        yield opened
        opened.close()


def differs(page, before: np.ndarray, by: float = 0.0002) -> bool:
    return bool(until(lambda: np.mean(np.abs(seen(page) - before)) > by))


def test_colours_size_and_up_change_the_picture(page):
    assert until(lambda: seen(page).std() > 0.02)
    for name, change in {
        "height": lambda: choose(page, "colour", "height"),
        "light": lambda: press(page, "light"),
        "normal": lambda: choose(page, "colour", "normal"),
        "class": lambda: choose(page, "colour", "class"),
        "size": lambda: type_number(page, "point size", 3),
        "up": lambda: choose(page, "up", "+x"),
    }.items():
        before = seen(page)
        change()
        assert differs(page, before), name


def test_the_top_five_are_bars_and_the_reasons_are_shown(page):
    page.get_by_text("70.0 %", exact=True).wait_for(timeout=10_000)
    assert page.get_by_text("<car>").count() == 0
    for label in ("learned Gaussians", "deciding points"):
        before = seen(page)
        press(page, label)
        assert differs(page, before), label
        press(page, label)


def give(page, name: str, content: bytes) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open a cloud").click()
    chooser.value.set_files({"name": name, "mimeType": "text/plain", "buffer": content})


def test_an_uploaded_cloud_is_shown_and_classified_and_a_broken_one_refused(shown, page, predictor):
    content = io.BytesIO()
    np.savetxt(content, np.random.default_rng(1).normal(size=(121, 3)))
    give(page, "my points.xyz", content.getvalue())
    page.get_by_text("my points", exact=True).first.wait_for(timeout=20_000)
    page.get_by_text("121", exact=True).first.wait_for(timeout=20_000)
    assert until(lambda: predictor.seen[-1] == 121)
    give(page, "bad.ply", b"no ply at all")
    page.get_by_text("bad.ply: expected a PLY file").wait_for(timeout=20_000)
    assert len(shown.view.cloud) == 121
