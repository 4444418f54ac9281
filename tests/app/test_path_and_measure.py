"""Camera paths and measurements, worked in a real browser.

Needs Chromium; without it these tests are skipped, or fail when DARB3D_REQUIRE_BROWSER=1.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from browsing import bring_tab, choose, push, row, until
from known_scene import (
    ORIGIN,
    client,
    on_screen,
    picture_box,
    twin_texts,
)

import splatting
from app.__main__ import main
from app.viewer.cameras import camera_from_pose
from app.viewer.measure_panel import plain
from app.viewer.picking import LEAST_ALPHA, point_under
from app.viewer.scene_view import to_uint8
from splatting.camera_paths import between, from_json


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
    bring_tab(page, "Path")
    for number, index in enumerate((0, 1, 2, 0)):
        stand_at(viewer, index)
        push(page, "Add this view")
        assert until(lambda number=number: key_count(viewer) == number + 1)
    push(page, "✕")
    assert until(lambda: key_count(viewer) == 3)
    push(page, "▲")
    choose(page, "size", "640 x 360")
    page.get_by_label("seconds", exact=True).fill("0.5")
    choose(page, "frames / s", "24")
    wanted = "--out known.mp4 --path known-path.json --fps 24.0"
    assert until(lambda: any(wanted in text for text in twin_texts(page)))
    with page.expect_download() as download:
        push(page, "Save path")
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
    push(page, "Preview")
    assert until(lambda: np.linalg.norm(client(viewer).camera.position - start) > 0.05)
    push(page, "Stop")
    page.get_by_role("button", name="Preview", exact=True).wait_for(timeout=10_000)
    assert until(lambda: np.abs(client(viewer).camera.position - start).max() < 1e-3)
    choose(page, "key frame", "2")
    push(page, "Go")
    there = viewer._page.poses[2].position
    assert until(lambda: np.abs(client(viewer).camera.position - there).max() < 1e-3)


FILMS = {"colours": ("rgb", 12), "depth": ("depth", 24), "contribution": ("contribution", 36)}
"""By what the page shows: what the command calls it, and how many frames it gets here."""


@pytest.mark.parametrize("shown", FILMS)
def test_a_film_shows_what_the_page_does_and_is_the_one_of_its_command(
    viewer, page, tmp_path, monkeypatch, shown
):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    what, count = FILMS[shown]
    bring_tab(page, "Look")
    choose(page, "show", shown)
    assert until(lambda: viewer._page.look.what == what)
    bring_tab(page, "Path")
    page.get_by_label("seconds", exact=True).fill(str(count / 24))
    viewer._page.edits.select(min_opacity=0.8)
    with page.expect_download() as download:
        push(page, "Save path")
    download.value.save_as(tmp_path / "known-path.json")
    push(page, "Render film")
    page.get_by_text(f"{count} frames").wait_for(timeout=60_000)
    with page.expect_download() as download:
        page.get_by_text("known.mp4 (").last.click()
    film = tmp_path / "page.mp4"
    download.value.save_as(film)
    monkeypatch.chdir(tmp_path)
    (line,) = twin_texts(page)
    assert "--min-opacity 0.8" in line and (f"--what {what}" in line) == (what != "rgb")
    frames = pictures(ffmpeg, film)
    assert len(frames) == count
    if what != "depth":  # whose range on the page is that of one picture
        first = from_json(tmp_path / "known-path.json", origin_world=ORIGIN)[0]
        assert until(lambda: off(viewer, first, frames[0]) < 2.5), off(viewer, first, frames[0])
    if what != "contribution":  # for which the command needs photos: this scene is made up
        assert main(shlex.split(line)[1:]) == 0
        by_command = pictures(ffmpeg, tmp_path / "known.mp4")
        assert len(by_command) == count
        assert np.mean(np.abs(frames.astype(float) - by_command)) < 1.0
    viewer._page.edits.select(min_opacity=0.0)
    bring_tab(page, "Look")
    choose(page, "show", "colours")
    bring_tab(page, "Path")


def off(viewer, camera, frame) -> float:
    """Mean difference between a frame and what the page draws there, in levels of 255."""
    drawn = to_uint8(viewer._stage.draw(camera).rgb)
    return float(np.mean(np.abs(drawn.astype(float) - frame)))


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
        push(page, "Render film")
        page.get_by_text("known.mp4: expected the package imageio-ffmpeg").wait_for(timeout=10_000)
    page.get_by_label("seconds", exact=True).fill("100")
    push(page, "Render film")
    push(page, "Cancel")
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
    bring_tab(page, "Measure")
    ends = splats.means[splats.logit_opacities > 1]
    # two points of the floor that nothing hides, and the sky
    floor = ends[np.argsort(np.abs(ends[:, 2]))[:400]]
    near = floor[floor @ client(viewer).camera.position > 0.5]
    across = on_screen(viewer, page, near)[:, 0]
    near = near[(across > 60) & (across < picture_box(page)["width"] - 60)]  # not on the panel
    a, b = near[np.argmin(near[:, 1])], near[np.argmax(near[:, 1])]
    push(page, "Measure")
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
    push(page, "Set scale")
    assert until(lambda: edits.scale != 1.0)
    assert edits.scale == pytest.approx(0.5 / truth, rel=0.05)
    assert until(lambda: label.text == "0.5 byd/b")
    assert until(lambda: any(f"--scale {edits.scale!r}" in text for text in twin_texts(page)))
    push(page, "Back to 1")
    push(page, "Remove all")
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
        bring_tab(page, "Path")
        count = key_count(viewer)
        push(page, "Add this view")
        assert until(lambda: key_count(viewer) == count + 1)
        names = [f"/edit/path/{index}" for index in range(count + 1)]
        found = [viewer._server.scene.get_handle_by_name(name).position for name in names]
        assert np.abs(np.array(found) - at).max(axis=1).min() < 0.05
    finally:
        stage.scale = was
