"""Comparing with a photo, without a browser: where it is shown, what of it, and its score."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contact_sheet import PAPER, heat
from app.viewer.cameras import pose_from_camera
from app.viewer.photo_split import RULE, PhotoSplit, compare, letterbox, split
from data.camera import Camera
from splatting import metrics

side = st.integers(1, 3000)


@given(side, side, side, side)
def test_a_letterbox_fills_the_room_in_one_direction_and_keeps_the_shape(w, h, room_w, room_h):
    left, top, fitted_w, fitted_h = letterbox(w, h, room_w, room_h)
    assert fitted_w == room_w or fitted_h == room_h
    assert left >= 0 and left + fitted_w <= room_w and abs(room_w - 2 * left - fitted_w) <= 1
    assert top >= 0 and top + fitted_h <= room_h and abs(room_h - 2 * top - fitted_h) <= 1
    scale = min(room_w / w, room_h / h)
    assert abs(fitted_w - max(1, scale * w)) <= 0.5 + 1e-6
    assert abs(fitted_h - max(1, scale * h)) <= 0.5 + 1e-6


def a_view(photo: np.ndarray, kept: np.ndarray | None = None, split_: str = "train"):
    height, width = photo.shape[:2]
    camera = Camera(np.array([[50.0, 0, 9], [0, 60, 12], [0, 0, 1]]), np.eye(4), width, height)
    return SimpleNamespace(
        image=lambda: photo, kept=lambda: kept, camera=camera, split=split_, name="a"
    )


def drawing(rgb: np.ndarray):
    return lambda _splats, _camera: SimpleNamespace(rgb=rgb)


def test_the_error_is_the_mean_over_channels_and_psnr_that_of_evaluate():
    photo = np.full((6, 8, 3), 0.5, np.float32)
    drawn = photo.copy()
    drawn[2, 3] = [0.8, 0.5, 0.5]  # 0.1 on average
    drawn[0, 0] = 1.75  # shown, and scored, as 1
    parts = compare(a_view(photo), drawing(drawn), None)
    np.testing.assert_array_equal(parts.error[2, 3], heat(np.array([[0.1]], np.float32))[0, 0])
    assert parts.psnr == metrics.psnr(drawn, photo)
    assert (parts.error[5] == 0).sum() == 2 * 8, "black but for a trace of blue"


def test_what_a_mask_leaves_out_is_no_error():
    photo = np.full((4, 4, 3), 0.5, np.float32)
    drawn, kept = photo.copy(), np.ones((4, 4), np.float32)
    drawn[0], kept[0] = 0.0, 0.0
    drawn[1] = 0.6
    parts = compare(a_view(photo, kept), drawing(drawn), None)
    # over the 12 pixels that count, four are off by 0.1
    assert parts.psnr == pytest.approx(-10 * np.log10(0.01 * 4 / 12), abs=1e-4)
    np.testing.assert_array_equal(parts.error[0], parts.error[3])


def test_each_part_stands_in_its_share_of_the_photo_and_nowhere_else():
    photo = np.full((30, 60, 3), 1.0, np.float32)
    parts = compare(a_view(photo), drawing(0 * photo + 0.5), None)
    picture = split(parts, (0.25, 0.5), 120, 100, held_out=False)
    assert picture.shape == (100, 120, 3)
    np.testing.assert_array_equal(picture[:20], np.broadcast_to(PAPER, (20, 120, 3)))
    bottom = picture[78]
    np.testing.assert_array_equal(bottom[:29], 255)
    np.testing.assert_array_equal(bottom[32:59], 128)
    np.testing.assert_array_equal(bottom[62:], np.broadcast_to(parts.error[0, 0], (58, 3)))
    np.testing.assert_array_equal(bottom[29:31], np.broadcast_to(RULE, (2, 3)))
    whole = split(parts, (0.0, 1.0), 120, 100, held_out=False)
    np.testing.assert_array_equal(whole[78], 128)


def test_who_stands_at_a_photo_sees_it_and_who_does_not_is_left_alone():
    photo = np.zeros((24, 18, 3), np.float32)
    views = [a_view(photo), a_view(photo + 1, split_="test")]
    views[1].camera = Camera(views[1].camera.K, np.eye(4), 18, 24)
    views[1].camera.cam_from_world[:3, 3] = [0, 0, 1]
    poses = [pose_from_camera(view.camera, 2.0) for view in views]
    calls = []

    def render(splats, camera):
        calls.append(camera)
        return SimpleNamespace(rgb=photo)

    stage = SimpleNamespace(version=1, live=False, render=render, splats=None)
    page = SimpleNamespace(views=views, poses=poses, stage=stage)
    scores = []
    shown = PhotoSplit(page, lambda *score: scores.append(score))

    def from_(dx: float, turn: float = 0.0) -> Camera:
        pose = np.eye(4)
        pose[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        pose[:3, 3] = [dx, 0, 1]
        return Camera(np.diag([99.0, 99, 1]), pose, 200, 100)

    assert shown.standing_at(from_(0.0)) == 1
    assert shown.standing_at(from_(1e-4, 1e-3)) == 1
    assert shown.standing_at(from_(0.01)) is None
    assert shown.standing_at(from_(0.0, 0.01)) is None
    assert shown(from_(0.01), None) is None and not calls
    picture = shown(from_(0.0), None)
    assert picture.rgb.shape == (100, 200, 3) and not picture.depth.any()
    assert calls == [views[1].camera], "with its own camera, at its own size"
    shown(from_(0.0), None)
    assert len(calls) == 1 and scores == [(1, 0.0)] and shown.score(1) == 0.0
    stage.version = 2
    assert shown.score(1) is None
    shown(from_(0.0), None)
    assert len(calls) == 2
