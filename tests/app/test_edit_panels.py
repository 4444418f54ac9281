"""The panels for editing, worked in a real browser.

Needs Chromium; without it these tests are skipped, or fail when DARB3D_REQUIRE_BROWSER=1.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from browsing import bring_tab, seen, until
from known_scene import ORIGIN, drag, is_pink, on_screen, shows, slider, twin_texts

from app.__main__ import main
from splatting.export import load_ply
from splatting.selection import Selection, kept


def test_the_crop_box_is_switched_typed_dragged_and_reset(viewer, page, splats):
    edits = viewer._page.edits
    bring_tab(page, "Edit")
    assert shows(viewer, page, splats)
    page.get_by_label("crop", exact=True).click()
    assert until(lambda: edits.selection.crop_min)
    first = edits.selection
    low, high = np.array(first.crop_min) - ORIGIN, np.array(first.crop_max) - ORIGIN
    assert (low > -2).all() and (high < 2).all(), "not in the coordinates of the model"
    inside = ((splats.means >= low) & (splats.means <= high)).all(axis=1)
    assert 0 < inside.sum() < len(splats)
    np.testing.assert_array_equal(viewer._stage.splats.means, splats.means[inside])
    page.get_by_label("box", exact=True).click()  # no lines across the picture
    assert shows(viewer, page, splats.take(inside))
    page.get_by_label("box", exact=True).click()
    numbers = " ".join(map(repr, first.crop_min))
    assert until(lambda: any(f"--crop-min {numbers}" in text for text in twin_texts(page)))

    place = np.array(viewer._server.scene.get_handle_by_name("/edit/crop/whole").position)
    start = on_screen(viewer, page, place)
    arrow = on_screen(viewer, page, place + np.array([0, 0, 0.01])) - start
    arrow /= np.linalg.norm(arrow)
    drag(page, start + 40 * arrow, start + 90 * arrow)
    assert until(lambda: edits.selection != first), "the arrow did not move the box"
    moved = np.array(edits.selection.crop_min) - first.crop_min
    assert moved[2] > 0.05 and np.abs(moved[:2]).max() < 0.02
    np.testing.assert_allclose(
        np.array(edits.selection.crop_max) - first.crop_max, moved, atol=0.02
    )

    page.get_by_role("button", name="Reset").click()
    assert until(lambda: edits.selection == first)
    page.get_by_label("crop", exact=True).click()
    assert until(lambda: edits.selection == Selection())
    assert shows(viewer, page, splats)


def test_opacity_and_size_are_filtered_by_sliders(viewer, page, splats):
    edits = viewer._page.edits
    at_least, top = slider(page, "at least"), slider(page, "hide top %")
    at_least.fill("0.6")
    assert until(lambda: edits.selection.min_opacity == 0.6)
    top.fill("10")
    assert until(lambda: edits.selection.max_size)
    largest = np.exp(splats.log_scales.max(axis=1))
    assert np.mean(largest > edits.selection.max_size) == pytest.approx(0.1, abs=0.02)
    keep = kept(splats, edits.selection)
    page.get_by_text(f"{keep.sum():,} of {len(splats):,} splats shown").wait_for(timeout=10_000)
    wanted = f"--min-opacity 0.6 --max-size {edits.selection.max_size!r}"
    assert until(lambda: any(wanted in text for text in twin_texts(page)))
    assert shows(viewer, page, splats.take(keep))
    at_least.fill("0")
    top.fill("0")
    assert until(lambda: edits.selection == Selection())


def test_floaters_are_found_marked_hidden_and_brought_back(viewer, page, splats):
    edits = viewer._page.edits
    assert shows(viewer, page, splats)
    plain = seen(page)
    page.get_by_role("button", name="Find floaters").click()
    page.get_by_role("button", name="Undo").wait_for(timeout=60_000)
    assert edits.selection == Selection(), "marking hides nothing"
    likely = edits.floater_scores(splats) > 0.5
    assert likely[0] and likely.sum() < 20
    page.get_by_text(f"{likely.sum()} of {len(splats):,} splats marked").wait_for(timeout=10_000)
    x, y = np.rint(on_screen(viewer, page, splats.means[0])).astype(int)
    assert until(lambda: is_pink(seen(page)[y, x])) and not is_pink(plain[y, x])
    page.get_by_label("hide", exact=True).click()
    assert until(lambda: edits.selection.drop_floaters == 0.5)
    assert until(lambda: any("--drop-floaters 0.5" in text for text in twin_texts(page)))
    assert shows(viewer, page, splats.take(~likely))
    page.get_by_role("button", name="Undo").click()
    assert until(lambda: edits.selection == Selection())
    assert shows(viewer, page, splats)
    assert viewer._stage.source is splats, "the run stays as it is"


def test_an_export_is_the_file_that_its_command_writes(viewer, page, tmp_path, monkeypatch):
    edits = viewer._page.edits
    edits.select(crop_min=(99.5, -20.5, 2.9), min_opacity=0.5, max_size=0.05)
    bring_tab(page, "Export")
    page.get_by_label("scale", exact=True).fill("0.5")
    assert until(lambda: edits.scale == 0.5)
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name="Export").click()
    assert download.value.suggested_filename == "known.ply"
    wanted = "--crop-min 99.5 -20.5 2.9"
    (line,) = until(lambda: [text for text in twin_texts(page) if wanted in text])
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(line)[1:]) == 0
    written = (tmp_path / "known.ply").read_bytes()
    assert Path(download.value.path()).read_bytes() == written
    assert 0 < len(load_ply(tmp_path / "known.ply")) < len(edits.source)

    edits.select(min_opacity=0.98)
    page.get_by_role("button", name="Export").click()
    page.get_by_text("expected splats inside the crop").wait_for(timeout=10_000)
    edits.select(crop_min=None, min_opacity=0.0, max_size=None)
    edits.set_scale(1.0)
