"""`darb3d lift`, as a user calls it, with a lifter that has learnt nothing."""

from __future__ import annotations

import numpy as np
import pytest

from app.__main__ import main
from app.commands.lift import known_length
from backbones.config import BackboneConfig
from data.errors import UserError
from data.motion_files import read_motions
from data.points3d import read_points3d
from lifting.config import LifterConfig
from lifting.lifter_files import save_lifter
from lifting.model import new_lifter
from tests.data import keypoint_files as files


@pytest.fixture
def weights(tmp_path):
    config = LifterConfig(BackboneConfig(width=16, depth=2, heads=2, head_dim=8), fourier=4)
    save_lifter(tmp_path / "w.safetensors", new_lifter(config, 0), {})
    return ["--weights", str(tmp_path / "w.safetensors"), "--threads", "1"]


def tracks(tmp_path, animals: int = 1):
    path = tmp_path / "t.csv"
    files.dlc_csv(path, files.clip(animals, frames=12, joints=5))
    return str(path)


@pytest.mark.parametrize("ending", ["npz", "glb", "bvh", "csv", "h5"])
def test_tracks_become_a_file_of_every_format(ending, weights, tmp_path, capsys) -> None:
    if ending == "h5":
        pytest.importorskip("h5py")
    out = tmp_path / f"m.{ending}"
    words = ["lift", tracks(tmp_path), "-o", str(out), "--edges", "0-1,1-2,1-3,1-4"]
    assert main([*words, "--known-length", "nose-neck=12.5mm", *weights]) == 0
    text = capsys.readouterr().out
    assert "12 frames, 5 joints, edges given" in text and "(mm)" in text
    if ending in ("npz", "glb", "bvh"):
        (motion,) = read_motions(out)
        assert len(motion) == 12
    if ending == "h5":
        assert read_points3d(out)[0].xyz.shape == (12, 5, 3)
    if ending == "npz":
        apart = np.linalg.norm(motion.xyz[:, 0] - motion.xyz[:, 1], axis=1)
        np.testing.assert_allclose(apart, 12.5, rtol=1e-4)
        names = np.load(out)
        assert {"xyz", "names", "edges", "confidence"} <= set(names.files)


def test_several_animals_are_several_files_or_one_glb(weights, tmp_path) -> None:
    source = tracks(tmp_path, 2)
    assert main(["lift", source, "-o", str(tmp_path / "m.npz"), *weights]) == 0
    assert {p.name for p in tmp_path.glob("m*.npz")} == {"m-animal1.npz", "m-animal2.npz"}
    assert main(["lift", source, "-o", str(tmp_path / "m.glb"), *weights]) == 0
    assert len(read_motions(tmp_path / "m.glb")) == 2
    only = ["lift", source, "-o", str(tmp_path / "one.npz"), "--individual", "animal2", *weights]
    assert main(only) == 0 and (tmp_path / "one.npz").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "m.obj"], "ending among"),
        (["-o", "m.npz", "--edges", "nose-ear"], "found 'ear'"),
        (["-o", "m.npz", "--edges", "1-2,4-5"], "counted from 1"),
        (["-o", "m.npz", "--individual", "rex"], "--individual"),
        (["-o", "m.npz", "--known-length", "nose-tail"], "82mm"),
        (["-o", "m.npz", "--known-length", "nose-ear=3mm"], "two joints"),
        (["-o", "m.npz", "--fps", "0"], "--fps"),
        (["-o", "m.npz", "--confidence-cut", "5"], "--confidence-cut"),
    ],
)
def test_wrong_use_is_one_line(words, message, weights, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["lift", tracks(tmp_path), *words, *weights]) == 2
    error = capsys.readouterr().err
    assert message in error and error.strip().count("\n") == 0
    assert not list(tmp_path.glob("m.*"))


def test_without_weights_the_line_says_which_option(tmp_path, monkeypatch, capsys) -> None:
    from lifting import lifter_files

    monkeypatch.setattr(lifter_files, "_SHIPPED", tmp_path / "none")
    assert main(["lift", tracks(tmp_path), "-o", str(tmp_path / "m.npz")]) == 2
    assert "--weights" in capsys.readouterr().err


def test_lengths_with_hyphens_in_the_names() -> None:
    names = ("mid-back", "tail-base")
    assert known_length("mid-back-tail-base=3.5cm", names) == (*names, 3.5, "cm")
    for text in ("a-b=3", "a-b=xmm", "a-b=-3mm", "a-b=3parsec", "a=3mm"):
        with pytest.raises(UserError):
            known_length(text, ("a", "b"))


def test_the_overlay_draws_where_the_points_are() -> None:
    from app.overlay import draw
    from data.motion import Motion
    from data.skeleton import Skeleton

    xy = np.array([[[20.0, 30.0], [60.0, 30.0]]])
    skeleton = Skeleton(("a", "b"), np.array([[0, 1]]))
    motion = Motion(np.zeros((1, 2, 3)), skeleton, xy=xy, xy_reprojected=xy)
    picture = draw(np.zeros((60, 80, 3), np.uint8), motion, 0)
    assert picture[30, 40].any() and picture[30, 20].any() and not picture[55, 75].any()
