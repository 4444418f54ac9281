"""The page of a cloud, worked in a real browser: colours, sizes, up, classes, uploads.

Needs Chromium; without it these tests are skipped, or fail when DARB3D_REQUIRE_BROWSER=1.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from browsing import choose, opened, press, seen, type_number, until
from known_cloud import TOWARDS, StubPredictor, ball
from known_scene import on_screen

from app.viewer.cloud_colours import point_colours
from app.viewer.cloud_page import CloudPage
from data.geometry import rotation_from_quat


@pytest.fixture(scope="module")
def predictor():
    return StubPredictor()


@pytest.fixture(scope="module")
def shown(predictor):
    # few points: lit balls are slow where WebGL is software
    served = CloudPage(ball(120), "ball.ply", port=0, load=lambda: predictor)
    yield served
    served.close()


@pytest.fixture(scope="module")
def page(browser, shown):
    with opened(browser, shown.address, 820, 560) as tab:
        tab.get_by_text("ball.ply").first.wait_for(timeout=30_000)
        assert until(lambda: shown.clients() and seen(tab).std() > 0.02)
        yield tab


def differs(page, before: np.ndarray, by: float = 0.0002) -> bool:
    return bool(until(lambda: np.mean(np.abs(seen(page) - before)) > by))


def colours_at(shown, page, xyz) -> np.ndarray:
    """What the page shows where points of the cloud are, (n, 3)."""
    view = shown.view
    turn = rotation_from_quat(np.array(view._upright()))
    places = on_screen(shown, page, view.placed(xyz) @ turn.T)
    columns, rows = np.rint(places).astype(int).T
    return seen(page)[rows, columns]


def hues(rgb) -> np.ndarray:
    """Colours apart from how bright they are, around zero."""
    rgb = np.asarray(rgb, np.float64) + 1e-3
    share = rgb / rgb.sum(axis=1, keepdims=True)
    return share - share.mean(axis=0)


def alike(found, expected) -> float:
    """How far hues rise and fall together, up to 1."""
    a, b = hues(found).ravel(), hues(expected).ravel()
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("by", ["height", "normal", "class", "own colour"])
def test_points_have_the_colours_that_were_chosen(shown, page, by):
    choose(page, "colour", by)
    cloud = shown.view.cloud
    facing = cloud.normals @ TOWARDS > 0.5
    expected = point_colours(cloud, by, np.array([0.0, 0.0, 1.0]))[facing]
    assert facing.sum() > 20
    # lamps and neighbours change colours, but not from one to another
    assert until(lambda: alike(colours_at(shown, page, cloud.xyz[facing]), expected) > 0.6)
    counted = page.get_by_text(f"{(cloud.labels == 3).sum()}", exact=True)
    assert until(lambda: counted.is_visible() == (by == "class")), "the legend of classes"
    light = page.get_by_label("light", exact=True)
    assert until(lambda: light.is_visible() == (by in ("height", "class")))


def test_light_size_and_up_change_the_picture(page):
    choose(page, "colour", "height")
    for name, change in {
        "light": lambda: press(page, "light"),
        "size": lambda: type_number(page, "point size", 3),
        "up": lambda: choose(page, "up", "+x"),
    }.items():
        before = seen(page)
        change()
        assert differs(page, before), name
    choose(page, "up", "+z")
    type_number(page, "point size", 1)


def bars(page) -> list[tuple[str, str, float]]:
    """Names, numbers and lengths of the class panel's bars, as shares of their full length."""
    return page.locator(".d3c div:visible").evaluate_all(
        "rows => rows.map(row => [row.children[0].innerText, row.children[2].innerText,"
        " row.querySelector('i').offsetWidth / row.querySelector('u').offsetWidth])"
    )


def test_the_top_five_are_bars(page):
    page.get_by_text("70.0 %", exact=True).wait_for(timeout=10_000)
    names, numbers, lengths = zip(*bars(page), strict=True)
    assert names == ("chair", "table", "lamp", "sofa", "bed")
    assert numbers == ("70.0 %", "15.0 %", "8.0 %", "4.0 %", "2.0 %")
    np.testing.assert_allclose(lengths, (0.7, 0.15, 0.08, 0.04, 0.02), atol=0.02)


def is_warm(rgb) -> np.ndarray:
    """Whether a colour is on the side of yellow and not of the blue grey of dimmed points."""
    return rgb[:, 0] > rgb[:, 2]


def test_learned_gaussians_are_ellipsoids_by_rank(shown, page, predictor):
    means = predictor.explain(shown.view.cloud.xyz).means
    press(page, "learned Gaussians")
    assert until(lambda: is_warm(colours_at(shown, page, means[:1])).all())
    several = seen(page)
    type_number(page, "how many", 1)
    assert differs(page, several)
    assert until(lambda: is_warm(colours_at(shown, page, means[:1])).all())
    type_number(page, "how many", 48)
    press(page, "learned Gaussians")


def test_the_points_that_decided_stand_out(shown, page, predictor):
    cloud = shown.view.cloud
    deciding = np.isin(np.arange(len(cloud)), predictor.explain(cloud.xyz).indices)
    nearest = np.argsort(-cloud.xyz @ TOWARDS)[:25]
    expected = deciding[nearest]
    assert expected.sum() == 20
    press(page, "deciding points")

    def told_apart() -> bool:
        # a ball may stand before another's middle
        return np.mean(is_warm(colours_at(shown, page, cloud.xyz[nearest])) == expected) > 0.85

    assert until(told_apart)
    marked = seen(page)
    press(page, "deciding points")
    assert differs(page, marked)


def give(page, name: str, content: bytes) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open a cloud").click()
    chooser.value.set_files({"name": name, "mimeType": "text/plain", "buffer": content})


def test_an_uploaded_cloud_is_shown_and_classified_and_a_broken_one_refused(shown, page, predictor):
    press(page, "deciding points")
    content = io.BytesIO()
    np.savetxt(content, np.random.default_rng(1).normal(size=(121, 3)) * (1.0, 1.0, 0.01))
    give(page, "my points.xyz", content.getvalue())
    page.get_by_text("my points", exact=True).first.wait_for(timeout=20_000)
    page.get_by_text("121", exact=True).first.wait_for(timeout=20_000)
    assert until(lambda: bars(page)[:1] and bars(page)[0][:2] == ["table", "70.0 %"])
    assert predictor.seen == [120, 121], "each cloud is asked for once"
    xyz = shown.view.cloud.xyz
    reasons = xyz[predictor.explain(xyz).indices]
    assert until(lambda: is_warm(colours_at(shown, page, reasons)).mean() > 0.85)
    give(page, "bad.ply", b"no ply at all")
    page.get_by_text("bad.ply: expected a PLY file").wait_for(timeout=20_000)
    assert len(shown.view.cloud) == 121
    assert predictor.seen == [120, 121], "nothing new to classify"
