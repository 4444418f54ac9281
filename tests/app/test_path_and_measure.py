"""Camera paths and measurements, worked in a real browser.

Needs Chromium; without it these tests are skipped, or fail when DARB3D_REQUIRE_BROWSER=1.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from browsing import chromium, row, until
from known_scene import (
    ORIGIN,
    client,
    known_splats,
    known_viewer,
    on_screen,
    opened,
    picture_box,
    twin_texts,
)

import splatting
from app.__main__ import main
from app.frames import Look
from app.viewer.cameras import camera_from_pose
from app.viewer.measure_panel import plain
from app.viewer.picking import LEAST_ALPHA, point_under
from splatting.camera_paths import between, from_json


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def splats():
    return known_splats()


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tmp_path_factory.mktemp("a run") / "known.ply"


@pytest.fixture(scope="module")
def viewer(splats, source):
    with known_viewer(splats, source) as shown:
        yield shown


@pytest.fixture(scope="module")
def page(browser, viewer):
    with opened(browser, viewer, "Path") as shown:
        until(viewer.clients)
        yield shown


def press(page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def choose(page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).first.click()
    page.get_by_role("option", name=option, exact=True).click()


def stand_at(viewer, index: int) -> None:
    before = client(viewer).camera.position.copy()
    viewer._page.stand_at(index, client(viewer))
    until(lambda: np.abs(client(viewer).camera.position - before).max() > 0, 2)


def key_count(viewer) -> int:
    scene, count = viewer._server.scene, 0
    while scene.get_handle_by_name(f"/edit/path/{count}") is not None:
        count += 1
    return count


def test_key_frames_are_added_ordered_and_removed_and_the_path_is_saved(viewer, page):
    for number, index in enumerate((0, 1, 2, 0)):
        stand_at(viewer, index)
        press(page, "Add this view")
        assert until(lambda number=number: key_count(viewer) == number + 1)
    press(page, "✕")
    assert until(lambda: key_count(viewer) == 3)
    press(page, "▲")
    choose(page, "size", "640 x 360")
    page.get_by_label("seconds", exact=True).fill("0.5")
    choose(page, "frames / s", "24")
    wanted = "--out known.mp4 --path known-path.json --fps 24.0"
    assert until(lambda: any(wanted in text for text in twin_texts(page)))
    with page.expect_download() as download:
        press(page, "Save path")
    assert download.value.suggested_filename == "known-path.json"
    path = from_json(Path(download.value.path()), origin_world=ORIGIN)
    poses = [viewer._page.poses[index] for index in (0, 2, 1)]
    keys = [camera_from_pose(p.wxyz, p.position, p.fov_y_rad, 640, 360) for p in poses]
    assert len(path) == 12
    for found, expected in zip(path, between(keys, 12), strict=True):
        np.testing.assert_allclose(found.cam_from_world, expected.cam_from_world, atol=2e-3)
        np.testing.assert_allclose(found.K, expected.K, rtol=1e-3)


def test_a_preview_moves_the_camera_and_brings_it_back(viewer, page):
    stand_at(viewer, 0)
    start = client(viewer).camera.position.copy()
    page.get_by_label("seconds", exact=True).fill("20")
    press(page, "Preview")
    assert until(lambda: np.linalg.norm(client(viewer).camera.position - start) > 0.05)
    press(page, "Stop")
    page.get_by_role("button", name="Preview", exact=True).wait_for(timeout=10_000)
    assert until(lambda: np.abs(client(viewer).camera.position - start).max() < 1e-3)
    choose(page, "key frame", "2")
    press(page, "Go")
    there = viewer._page.poses[2].position
    assert until(lambda: np.abs(client(viewer).camera.position - there).max() < 1e-3)


@pytest.mark.parametrize(("what", "count"), [("rgb", 12), ("depth", 24)])
def test_a_film_shows_what_the_page_does_and_is_the_one_of_its_command(
    viewer, page, tmp_path, monkeypatch, what, count
):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    page.get_by_label("seconds", exact=True).fill(str(count / 24))
    viewer._page.edits.select(min_opacity=0.5)
    viewer._page.show_as(Look(what))
    with page.expect_download() as download:
        press(page, "Save path")
    download.value.save_as(tmp_path / "known-path.json")
    press(page, "Render film")
    page.get_by_text(f"{count} frames").wait_for(timeout=60_000)
    with page.expect_download() as download:
        page.get_by_text("known.mp4 (").last.click()
    film = tmp_path / "page.mp4"
    download.value.save_as(film)
    monkeypatch.chdir(tmp_path)
    (line,) = twin_texts(page)
    assert "--min-opacity 0.5" in line and ("--what depth" in line) == (what == "depth")
    assert main(shlex.split(line)[1:]) == 0
    frames = [pictures(ffmpeg, path) for path in (film, tmp_path / "known.mp4")]
    assert len(frames[0]) == len(frames[1]) == count
    assert np.mean(np.abs(frames[0].astype(float) - frames[1])) < 1.0
    viewer._page.edits.select(min_opacity=0.0)
    viewer._page.show_as(Look())


def pictures(ffmpeg, path: Path) -> np.ndarray:
    """All frames of a film."""
    reader = ffmpeg.read_frames(str(path))
    width, height = next(reader)["size"]
    return np.array([np.frombuffer(f, np.uint8).reshape(height, width, 3) for f in reader])


def test_a_film_without_ffmpeg_is_one_clear_line_and_one_may_be_cancelled(
    viewer, page, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "imageio_ffmpeg", None)
        press(page, "Render film")
        page.get_by_text("known.mp4: expected the package imageio-ffmpeg").wait_for(timeout=10_000)
    page.get_by_label("seconds", exact=True).fill("100")
    press(page, "Render film")
    press(page, "Cancel")
    page.get_by_text("cancelled").wait_for(timeout=10_000)


def test_a_click_finds_the_point_that_the_exact_render_has_there(viewer, splats):
    pose = viewer._page.poses[0]
    camera = camera_from_pose(pose.wxyz, pose.position, pose.fov_y_rad, 320, 240)
    drawn = splatting.render(splats, camera)
    position, rotation = camera.position_world, camera.cam_from_world[:3, :3].T
    checked = 0
    for v in range(100, 200, 12):
        for u in range(60, 260, 20):
            ray = np.linalg.inv(camera.K) @ [u + 0.5, v + 0.5, 1.0]
            point, alpha = point_under(
                splatting.render, splats, position, rotation @ ray, camera.K[1, 1]
            )
            if drawn.alpha[v, u] < LEAST_ALPHA - 0.1:
                assert point is None and alpha < LEAST_ALPHA
            elif drawn.alpha[v, u] > 0.9:
                depth = drawn.depth[v, u] / drawn.alpha[v, u]
                expected = position + depth * (rotation @ ray)
                assert np.linalg.norm(point - expected) < 0.03 * depth
                checked += 1
    assert checked > 30


def test_distances_are_measured_and_one_of_them_sets_the_scale(viewer, page, splats):
    edits = viewer._page.edits
    stand_at(viewer, 1)
    page.get_by_role("tab", name="Measure").click()
    ends = splats.means[splats.logit_opacities > 1]
    # two points of the floor that nothing hides, and the sky
    floor = ends[np.argsort(np.abs(ends[:, 2]))[:400]]
    near = floor[floor @ client(viewer).camera.position > 0.5]
    inside = [on_screen(viewer, page, xyz) for xyz in near]
    near = near[[60 < x < picture_box(page)["width"] - 60 for x, _ in inside]]  # not on the panel
    a, b = near[np.argmin(near[:, 1])], near[np.argmax(near[:, 1])]
    press(page, "Measure")
    page.get_by_role("button", name="Click two points").wait_for(timeout=10_000)
    page.mouse.click(picture_box(page)["width"] - 30, 30)
    page.get_by_text("nothing solid there: alpha is 0.0").wait_for(timeout=10_000)
    for xyz in (a, b):
        page.mouse.click(*on_screen(viewer, page, xyz))
        until(lambda: viewer._server.scene.get_handle_by_name("/measure/0/a") is not None)
    label = until(lambda: viewer._server.scene.get_handle_by_name("/measure/0/label"))
    assert until(lambda: label.text)
    truth = np.linalg.norm(b - a)
    assert float(label.text) == pytest.approx(truth, rel=0.05)
    page.get_by_text(label.text, exact=True).first.wait_for(timeout=10_000)

    page.get_by_label("is really", exact=True).fill("0.5")
    row(page, "unit").locator("input, textarea").last.fill("<b>yd</b>")
    press(page, "Set scale")
    assert until(lambda: edits.scale != 1.0)
    assert edits.scale == pytest.approx(0.5 / truth, rel=0.05)
    assert until(lambda: label.text == "0.5 byd/b")
    assert until(lambda: any(f"--scale {edits.scale!r}" in text for text in twin_texts(page)))
    press(page, "Back to 1")
    press(page, "Remove all")
    assert until(lambda: viewer._server.scene.get_handle_by_name("/measure/0/label") is None)
    assert edits.scale == 1.0


def test_units_are_plain_text():
    assert plain(" m ") == "m" and plain("<i>*x*</i>") == "ix/i" and len(plain("m" * 99)) == 12


def test_points_are_those_of_the_scene_whatever_the_units_of_the_page(viewer, page, splats):
    """A scene is shown a tenth or ten times as large where it would not fit (page.scale)."""
    stage = viewer._stage
    stand_at(viewer, 1)
    was = stage.scale
    try:
        stage.scale = 10.0
        stand_at(viewer, 0)
        pose = viewer._page.poses[0]
        at = 10 * pose.position
        assert until(lambda: np.allclose(client(viewer).camera.position, at, 1e-3))
        page.get_by_role("tab", name="Path").click()
        count = key_count(viewer)
        press(page, "Add this view")
        assert until(lambda: key_count(viewer) == count + 1)
        names = [f"/edit/path/{index}" for index in range(count + 1)]
        found = [viewer._server.scene.get_handle_by_name(name).position for name in names]
        assert np.abs(np.array(found) - at).max(axis=1).min() < 0.05
    finally:
        stage.scale = was
