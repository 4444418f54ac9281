"""Keypoint files on a page: lifted by a file's lifter, refused where they hold nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import data
from app.lifters import FileLifter, named_lifter
from app.object_pages import object_page
from app.viewer.motion_page import MotionPage
from backbones.config import BackboneConfig
from data.errors import UserError
from lifting.config import LifterConfig
from lifting.lifter_files import save_lifter
from lifting.model import new_lifter

TRACKS = Path(data.__file__).parent / "samples" / "keypoints"


@pytest.fixture
def weights(tmp_path) -> Path:
    backbone = BackboneConfig(width=16, depth=2, heads=2, head_dim=8)
    save_lifter(tmp_path / "l.safetensors", new_lifter(LifterConfig(backbone), 0), {})
    return tmp_path / "l.safetensors"


def test_tracks_are_motions_on_a_page(weights) -> None:
    files = [TRACKS / "sleap.csv", TRACKS / "plain.npz"]
    page = object_page(files, 0, "127.0.0.1", None, str(weights))
    assert isinstance(page, MotionPage)
    try:
        clips = page.playback.clips
        assert len(clips) >= 2
        assert all(clip.xy is not None and clip.xyz.shape[2] == 3 for clip in clips)
        page._open(TRACKS / "dlc.h5", "my mouse")
        assert page.playback.clips != clips
    finally:
        page.close()


def test_a_file_without_keypoints_is_one_line(weights, tmp_path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(UserError, match="expected keypoints of DeepLabCut"):
        FileLifter(weights).lift_file(tmp_path / "a.csv")


def test_a_lifter_is_for_keypoints_alone(weights) -> None:
    cloud = TRACKS.parent / "shapes"
    with pytest.raises(UserError, match="--lifter: expected 2D keypoints"):
        object_page([sorted(cloud.iterdir())[0]], 0, "127.0.0.1", None, str(weights))
    with pytest.raises(UserError, match="--edges: expected 2D keypoints"):
        object_page([sorted(cloud.iterdir())[0]], 0, "127.0.0.1", edges="a-b")


def test_lifters_by_name() -> None:
    assert named_lifter(None) == named_lifter("permissive") == FileLifter()
    assert named_lifter("share-alike").terms == "share-alike"
    with pytest.raises(UserError, match="expected permissive or share-alike, or a file"):
        named_lifter("shared")


def test_a_skeleton_that_is_given_is_the_one_that_is_shown(weights) -> None:
    lifter, file = FileLifter(weights), TRACKS / "plain.npz"
    names = lifter.lift_file(file)[0].skeleton.names
    motion = lifter.lift_file(file, f"{names[0]}-{names[2]}, 1-3")[0]
    assert np.asarray(motion.skeleton.edges).tolist() == [[0, 2], [1, 3]]
    with pytest.raises(UserError, match="nowhere"):
        lifter.lift_file(file, f"{names[0]}-nowhere")
