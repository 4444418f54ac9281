"""The page of a cloud without a browser: colours, thinning, up, ellipsoids, classes."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from browsing import until
from known_cloud import StubPredictor, ball

import data
import pointcloud
from app.object_pages import object_page
from app.viewer.class_panel import top_bars
from app.viewer.class_view import MOST, SIGMAS, ellipsoids, sigmas_for
from app.viewer.cloud_colours import can_be_lit, choices, legend, lit, point_colours
from app.viewer.cloud_page import CloudPage
from app.viewer.cloud_view import PAGE_POINTS, UPS
from data.clouds import PointCloud
from data.errors import UserError
from data.geometry import rotation_from_quat
from tests.app.shapes import FamiliarShapes, Shapes, box


@pytest.fixture(scope="module")
def predictor():
    return StubPredictor()


@pytest.fixture(scope="module")
def shown(predictor):
    served = CloudPage(ball(), "ball.ply", port=0, load=lambda: predictor)
    yield served
    served.close()


def test_a_cloud_that_is_too_large_is_thinned_and_the_page_says_so():
    count = PAGE_POINTS + 500
    xyz = np.random.default_rng(0).uniform(size=(count, 3)) + np.array([5e5, 4.8e6, 0])
    served = CloudPage(PointCloud(xyz), "land", port=0)
    try:
        shown = served.view.shown
        assert len(shown) == PAGE_POINTS
        assert f"{PAGE_POINTS:,} of {count:,} points" in served.panel._subtitle
        # far from the origin, single precision still tells points apart
        assert np.abs(served.view.placed(shown.xyz)).max() < 4
    finally:
        served.close()


def test_each_up_is_turned_to_y(shown):
    before = shown.view.up
    for name, way in UPS.items():
        shown.view.up = name
        turned = rotation_from_quat(np.array(shown.view._upright())) @ np.array(way)
        np.testing.assert_allclose(turned, (0, 1, 0), atol=1e-12)
    shown.view.up = before


def test_colours_of_points():
    cloud, up = ball(), np.array([0.0, 0.0, 1.0])
    assert choices(cloud) == ("own colour", "class", "height", "normal", "plain")
    assert choices(PointCloud(cloud.xyz)) == ("height", "plain")
    assert (point_colours(cloud, "own colour", up) == cloud.rgb).all()
    normal = point_colours(cloud, "normal", up)
    np.testing.assert_allclose(normal / 127.5 - 1, cloud.normals, atol=0.01)
    low, high = np.argmin(cloud.xyz[:, 2]), np.argmax(cloud.xyz[:, 2])
    height = point_colours(cloud, "height", up).astype(int)
    assert height[low, 2] > height[low, 0] and height[high, 0] > height[high, 2]
    assert len(np.unique(point_colours(cloud, "class", up), axis=0)) == 2
    assert can_be_lit(cloud, "class") and not can_be_lit(cloud, "own colour")
    white = np.full((2, 3), 200, np.uint8)
    shaded = lit(white, np.array([up, 0 * up]), up)
    assert shaded[0, 0] != 200 and (shaded[1] == 200).all()
    assert "3 <" in legend(cloud, "class") and legend(cloud, "height") == ""


def test_ellipsoids_have_the_axes_of_their_gaussians():
    turn = rotation_from_quat(np.array([0.9, 0.1, -0.3, 0.2]))
    covariance = turn @ np.diag([4.0, 1.0, 0.25]) @ turn.T
    wxyz, axes = ellipsoids(covariance[None])
    back = rotation_from_quat(wxyz[0]) @ np.diag(axes[0] ** 2)
    np.testing.assert_allclose(back @ rotation_from_quat(wxyz[0]).T, covariance, atol=1e-9)


def test_broad_gaussians_are_drawn_small_enough_to_be_told_apart():
    assert sigmas_for(np.full((4, 3), 0.01)) == SIGMAS
    broad = np.array([[1.0, 2.0, 4.0], [1.5, 2.0, 3.0]])
    assert sigmas_for(broad) * np.median(broad) == MOST


def test_bars_are_the_five_most_probable_escaped():
    labels = ("a", "<b>", "c", "d", "e", "f")
    text = top_bars(labels, np.array([0.1, 0.5, 0.15, 0.05, 0.12, 0.08]))
    assert text.index("&lt;b&gt;") < text.index(">c<") < text.index(">e<") < text.index(">a<")
    assert "<b>50.0 %" in text and ">d<" not in text


def test_a_cloud_unlike_the_training_data_is_marked():
    sheet = PointCloud(box("wall") * (1.0, 0.2, 1.0))
    served = CloudPage(sheet, port=0, load=FamiliarShapes)
    try:
        bars = served._classes._bars
        assert until(lambda: "wall" in bars.content and "<p>Unlike all" in bars.content, 10)
        served.view.show(PointCloud(box("tower")))
        served._classes.classify()
        assert until(lambda: "tower" in bars.content and "<p>" not in bars.content, 10)
    finally:
        served.close()


def test_a_classifier_that_cannot_be_loaded_leaves_the_page():
    def load():
        raise UserError("model.safetensors: expected weights, found none")

    served = CloudPage(ball(50), port=0, load=load)
    try:
        assert until(lambda: "expected weights" in served.panel._error, 10)
        assert until(lambda: served._classes._bars.content == "", 10)
    finally:
        served.close()


def test_a_slow_answer_for_a_cloud_that_is_gone_is_dropped():
    go = threading.Event()

    class Slow(StubPredictor):
        labels = ("old", "new")

        def predict(self, xyz):
            if len(xyz) == 900:
                go.wait(10)
                return np.array([[1.0, 0.0]])
            return np.array([[0.0, 1.0]])

    served = CloudPage(ball(), port=0, load=Slow)
    try:
        served.view.show(ball(50))
        assert served._classes is not None
        served._classes.classify()
        bars = served._classes._bars
        assert until(lambda: "<span>new</span><u><i style='width:100.0%'" in bars.content, 10)
        go.set()
        threading.Event().wait(0.3)
        assert "<span>new</span><u><i style='width:100.0%'" in bars.content
    finally:
        go.set()
        served.close()


@pytest.mark.parametrize("named", [None, "3dgpe"])
def test_view_opens_a_cloud_with_a_classifier(named, tmp_path, monkeypatch):
    monkeypatch.setattr(pointcloud, "load", lambda name, **_: Shapes(), raising=False)
    np.savetxt(tmp_path / "a.xyz", box("wall"))
    page = object_page([tmp_path / "a.xyz"], 0, "127.0.0.1", named)
    try:
        assert page is not None
        assert until(lambda: "wall" in page._classes._bars.content, 10)
    finally:
        page.close()


def test_which_classifier_is_checked_before_the_page_opens(tmp_path):
    np.savetxt(tmp_path / "a.xyz", box("wall"))
    page = object_page([tmp_path / "a.xyz"], 0, "127.0.0.1", "none")
    assert page._classes is None
    page.close()
    with pytest.raises(UserError, match="--classifier nothing: expected a file, or one of"):
        object_page([tmp_path / "a.xyz"], 0, "127.0.0.1", "nothing")
    dog = Path(data.__file__).parent / "samples/motion/dog.npz"
    with pytest.raises(UserError, match="--classifier: expected a cloud of points"):
        object_page([dog], 0, "127.0.0.1", "3dgpe")
