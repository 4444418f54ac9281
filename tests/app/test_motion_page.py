"""The page of a motion, worked in a real browser: time, looks, 2D input, errors, uploads.

Needs Chromium; without it these tests are skipped, or fail when DARB3D_REQUIRE_BROWSER=1.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browsing import choose, press, seen, type_number, until

import data
from app.viewer.motion_page import MotionPage
from data.errors import UserError
from data.motion import Motion
from data.motion_files import read_motions, write_motions

DOG = Path(data.__file__).parent / "samples" / "motion" / "dog.npz"


class StubLifter:
    """Stands for the one that lifts: a file of keypoints is the dog, or it is broken."""

    endings = (".csv", ".h5")

    def lift_file(self, path: Path) -> list[Motion]:
        if path.read_bytes() == b"broken":
            raise UserError(f"{path}: expected keypoints, found none")
        return [replace(read_motions(DOG)[0], name="lifted dog")]


@pytest.fixture(scope="module")
def shown():
    dog = read_motions(DOG)[0]
    bare = Motion(dog.xyz[:30], dog.skeleton, 12.0, "bare bones")
    served = MotionPage([dog, bare], "dogs", port=0, lifter=StubLifter())
    yield served
    served.close()


@pytest.fixture(scope="module")
def opened(browser, shown):
    page = browser.new_page(viewport={"width": 1200, "height": 760})
    page.goto(shown.address)
    page.wait_for_selector("canvas", timeout=30_000)
    page.get_by_text("trotting dog").first.wait_for(timeout=30_000)
    yield page
    page.close()


@pytest.fixture
def page(shown, opened):
    """The page at rest at the first frame of the dog."""
    shown.playback.play(False)
    shown.playback.open([*shown.playback.clips[:2]])
    return opened


def differs(page, before: np.ndarray, by: float = 0.001) -> bool:
    return bool(until(lambda: np.mean(np.abs(seen(page) - before)) > by))


def test_time_is_scrubbed_by_frame_and_by_second(shown, page):
    before = seen(page)
    type_number(page, "frame", 48)
    page.get_by_text("2.00 s", exact=True).wait_for(timeout=10_000)
    page.get_by_text("frame 48 of 119").wait_for(timeout=10_000)
    assert differs(page, before)
    box = page.locator("label").get_by_text("second", exact=True).locator("xpath=../../..")
    box.locator("input").last.fill("1")
    box.locator("input").last.press("Enter")
    assert until(lambda: shown.playback.frame == 24)


def test_play_pause_steps_and_the_end_without_a_loop(shown, page):
    page.get_by_role("button", name="play").or_(page.get_by_text("▶ play")).first.click()
    assert until(lambda: shown.playback.playing and shown.playback.frame > 3)
    page.get_by_text("❚❚ pause").first.click()
    assert until(lambda: not shown.playback.playing)
    frame = shown.playback.frame
    page.get_by_text("▶", exact=True).first.click()
    assert until(lambda: shown.playback.frame == frame + 1)
    page.get_by_text("|◀", exact=True).first.click()
    assert until(lambda: shown.playback.frame == 0)
    type_number(page, "speed", 4)
    press(page, "loop")
    assert until(lambda: shown.playback.speed == 4.0 and not shown.playback.loop)
    page.get_by_text("▶ play").first.click()
    assert until(lambda: shown.playback.frame == 119 and not shown.playback.playing)
    press(page, "loop")
    type_number(page, "speed", 1)


def test_looks_change_the_picture(shown, page):
    shown.playback.go_to(40)
    for change in (
        lambda: choose(page, "trails", "none"),
        lambda: choose(page, "colour", "limb"),
        lambda: type_number(page, "thickness", 2.5),
        lambda: press(page, "in place"),
    ):
        before = seen(page)
        change()
        assert differs(page, before, 5e-4)
    press(page, "in place")
    type_number(page, "thickness", 1)
    choose(page, "colour", "side")
    choose(page, "trails", "ends of limbs")


def test_a_clip_without_2d_hides_what_belongs_to_it(page):
    page.get_by_text("2D input").first.wait_for(timeout=10_000)
    choose(page, "clip", "2. bare bones")
    page.get_by_text("frame 0 of 29").wait_for(timeout=10_000)
    page.get_by_text("2D input").first.wait_for(state="hidden", timeout=10_000)
    page.get_by_text("Reprojection error").first.wait_for(state="hidden", timeout=10_000)
    choose(page, "clip", "1. trotting dog")
    page.get_by_text("2D input").first.wait_for(timeout=10_000)


def give(page, name: str, content: bytes) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open a motion or 2D keypoints").click()
    chooser.value.set_files({"name": name, "mimeType": "text/plain", "buffer": content})


def test_uploads_are_shown_lifted_or_refused_in_one_line(shown, page, tmp_path):
    clips = list(shown.playback.clips)
    write_motions(tmp_path / "a.bvh", [shown.playback.clips[1]])
    give(page, "my run.bvh", (tmp_path / "a.bvh").read_bytes())
    page.get_by_text("my run", exact=True).first.wait_for(timeout=20_000)
    assert len(shown.playback.motion) == 30
    give(page, "broken.bvh", b"HIERARCHY nonsense")
    page.get_by_text("broken.bvh: expected a .bvh").wait_for(timeout=20_000)
    give(page, "notes.exe", b"x")
    page.get_by_text("notes.exe: expected one of").wait_for(timeout=20_000)
    give(page, "keypoints.csv", b"broken")
    page.get_by_text("keypoints.csv: expected keypoints, found none").wait_for(timeout=20_000)
    give(page, "keypoints.csv", b"nose_x,nose_y")
    page.get_by_text("lifted dog").first.wait_for(timeout=20_000)
    shown.playback.open(clips)


def test_without_a_lifter_keypoints_are_refused_in_one_line(tmp_path):
    served = MotionPage(read_motions(DOG), port=0)
    try:
        (tmp_path / "a.csv").touch()
        with pytest.raises(UserError, match="cannot be lifted here"):
            served._open(tmp_path / "a.csv", "a")
    finally:
        served.close()


def test_each_clip_opens_near_unless_someone_has_chosen():
    dog = read_motions(DOG)[0]
    way = np.linspace(0.0, 30 * dog.diagonal, len(dog))[:, None, None] * (1.0, 0.0, 0.0)
    served = MotionPage([dog, replace(dog, xyz=dog.xyz + way)], port=0)
    try:
        shown = []
        for clip in (0, 1, 0):
            served.playback.choose(clip)
            shown.append(served.view.in_place)
        assert shown == [False, True, False]
        assert not served.view.placement.roams
        served.view.look.in_place = False
        served.playback.choose(1)
        assert served.view.placement.roams
    finally:
        served.close()
