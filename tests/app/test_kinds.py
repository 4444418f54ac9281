"""What a path holds is seen from the file: splats, a cloud, or a motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import data
from app.kinds import kind_of
from app.object_pages import object_page
from data import ply
from data.errors import UserError
from data.motion_files import read_motions, write_motions

SAMPLES = Path(data.__file__).parent / "samples"
DOG = SAMPLES / "motion" / "dog.npz"
SPLATS = SAMPLES / "synth_splats" / "gt_splats.ply"


@pytest.fixture
def cloud(tmp_path) -> Path:
    columns = dict(zip("xyz", np.eye(3), strict=True))
    ply.write_vertices(tmp_path / "cloud.ply", columns)
    return tmp_path / "cloud.ply"


def test_a_ply_a_glb_and_an_npz_by_what_they_hold(tmp_path, cloud):
    from splatting.export import load_ply
    from splatting.export_glb import save_glb

    assert kind_of(cloud) == "cloud"
    assert kind_of(SPLATS) == "splats"
    save_glb(tmp_path / "splats.glb", load_ply(SPLATS))
    assert kind_of(tmp_path / "splats.glb") == "splats"
    write_motions(tmp_path / "walk.glb", read_motions(DOG))
    assert kind_of(tmp_path / "walk.glb") == "motion"
    assert kind_of(DOG) == "motion"
    np.savez(tmp_path / "cloud.npz", points=np.zeros((4, 3)))
    assert kind_of(tmp_path / "cloud.npz") == "cloud"


def test_2d_keypoints_of_every_tool_are_known():
    for path in sorted((SAMPLES / "keypoints").iterdir()):
        assert kind_of(path) == "keypoints", path


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.splat", "splats"), ("a.spz", "splats"), ("a.bvh", "motion"), ("a.pcd", "cloud")],
)
def test_others_by_their_ending(tmp_path, name, kind):
    (tmp_path / name).touch()
    assert kind_of(tmp_path / name) == kind


def test_a_broken_file_goes_to_the_reader_that_says_so(tmp_path):
    for name, kind in (("a.npz", "cloud"), ("a.ply", "cloud"), ("a.glb", "splats")):
        (tmp_path / name).write_bytes(b"nonsense")
        assert kind_of(tmp_path / name) == kind


def test_folders_of_motions_and_of_runs(tmp_path):
    (tmp_path / "walk.bvh").touch()
    assert kind_of(tmp_path) == "motion"
    (tmp_path / "config.json").touch()
    assert kind_of(tmp_path) == "splats"


def test_what_cannot_be_shown_is_one_line(tmp_path, cloud):
    with pytest.raises(UserError, match="found nothing"):
        kind_of(tmp_path / "nowhere.ply")
    (tmp_path / "a.docx").touch()
    with pytest.raises(UserError, match=r"found \.docx"):
        kind_of(tmp_path / "a.docx")
    with pytest.raises(UserError, match=r"one kind .*dog.npz \(motion\), .*cloud.ply \(cloud\)"):
        object_page([DOG, cloud], 0, "127.0.0.1")
    with pytest.raises(UserError, match="one cloud, found 2"):
        object_page([cloud, cloud], 0, "127.0.0.1")
    assert object_page([SPLATS], 0, "127.0.0.1") is None
