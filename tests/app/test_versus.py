"""Two runs in one picture, without a browser: cameras of the parts, labels, scores, the command."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from browsing import sky
from hypothesis import given
from hypothesis import strategies as st

from app.loading import load
from app.viewer.stage import Stage
from app.viewer.versus import Contestant, Versus, halves, parts, table_html
from data.camera import Camera
from data.clouds import PointCloud
from splatting import export, kernels
from splatting.splats import from_points


def a_camera(width: int = 61, height: int = 40) -> Camera:
    K = np.array([[50.0, 0, width / 2], [0, 50, height / 2], [0, 0, 1]])
    return Camera(K, np.eye(4), width, height)


@given(st.integers(2, 300), st.floats(0, 1))
def test_the_parts_of_a_wipe_make_the_whole_picture(width, share):
    left, right = parts(a_camera(width), share)
    assert left.width + right.width == width and min(left.width, right.width) >= 1
    assert abs(left.width - share * width) <= 1
    whole = sky(None, a_camera(width)).rgb
    both = np.concatenate([sky(None, left).rgb, sky(None, right).rgb], axis=1)
    np.testing.assert_allclose(both, whole, atol=1e-9)


@given(st.integers(2, 300))
def test_each_half_is_centred_on_what_the_whole_picture_is_centred_on(width):
    camera = a_camera(width)
    left, right = halves(camera)
    assert left.width + right.width == width
    for half in (left, right):
        assert half.K[0, 2] == pytest.approx(half.width / 2)
        assert half.K[0, 0] == camera.K[0, 0] and half.height == camera.height


def two(first="a", second="b"):
    """A stage of two scenes of one colour each."""

    def render(splats, camera):
        shape = camera.height, camera.width
        rgb = np.full((*shape, 3), splats, np.float32)
        return SimpleNamespace(
            rgb=rgb, alpha=np.ones(shape), depth=np.full(shape, 10 * splats), camera=camera
        )

    stage = Stage(render)
    stage.put(0.25)
    page = SimpleNamespace(stage=stage)
    return stage, Versus(page, Contestant(first, first, 0.25), Contestant(second, second, 0.75, 31))


def test_each_way_draws_whom_it_names_where_it_says():
    stage, versus = two()
    stage.layout = versus
    camera = a_camera(61)
    picture = stage.draw(camera)
    assert picture.rgb.shape == (40, 61, 3)
    assert np.all(picture.rgb[:, :30] == 64) and np.all(picture.rgb[:, 30:] == 191)
    assert not picture.depth.any(), "frustums would stand in one half as if it were the whole"
    versus.way, versus.share = "wipe", 0.2
    picture = stage.draw(camera)
    assert np.all(picture.rgb[:, :12] == 64) and np.all(picture.rgb[:, 12:] == 191)
    assert picture.depth[0, 0] == 2.5 and picture.depth[0, -1] == 7.5
    versus.way = "second"
    assert np.all(stage.draw(camera).rgb == 0.75)


def test_a_mode_and_filters_hold_for_both():
    stage, versus = two()
    stage.layout = versus
    seen = []

    def mode(render, splats, camera):
        seen.append(splats)
        return render(1.0 - splats, camera)

    stage.mode = mode
    picture = stage.draw(a_camera())
    assert seen == [0.25, 0.75]
    assert np.all(picture.rgb[:, :30] == 191) and np.all(picture.rgb[:, 30:] == 64)


def test_labels_stand_above_their_own_pictures():
    _, versus = two()
    grey = np.full((300, 600, 3), 128, np.uint8)
    written = versus.label(grey, None, None)
    changed = np.any(written != grey, axis=2)
    assert changed[:40, :300].any() and changed[:40, 302:].any()
    assert not changed[60:, :298].any() and not changed[60:, 302:].any()
    assert np.all(grey == 128)


def a_cloud(kernel: str):
    rng = np.random.default_rng(0)
    cloud = PointCloud(rng.normal(size=(9, 3)), rng.integers(0, 256, (9, 3)).astype(np.uint8))
    return from_points(cloud, kernels.get(kernel), sh_degree=0)


def test_the_table_names_both_and_is_escaped():
    first = Contestant("<a>", "a", a_cloud("parabolic"), 25.125, "held-out photos")
    text = table_html(first, Contestant("b", "b", a_cloud("gaussian")))
    for part in ("&lt;a&gt;", "parabolic", "gaussian", "25.12 dB", "held-out photos", "<td>9</td>"):
        assert part in text


def test_the_score_of_a_run_is_that_of_held_out_photos_if_there_is_one(tmp_path):
    export.save_ply(tmp_path / "splats.ply", a_cloud("gaussian"))
    assert load(tmp_path / "splats.ply").psnr() is None
    assert load(tmp_path).psnr() is None
    line = {"step": 1, "loss": 0.1, "psnr": 20.5, "seconds": 1.0}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    assert load(tmp_path).psnr() == (20.5, "training photos")
    (tmp_path / "eval.json").write_text(json.dumps({"psnr": 21.5}))
    assert load(tmp_path).psnr() == (21.5, "held-out photos")


def test_view_takes_two_runs_and_says_in_one_line_what_is_wrong_with_the_second(darb3d, tmp_path):
    export.save_ply(tmp_path / "a.ply", a_cloud("gaussian"))
    export.save_ply(tmp_path / "b.ply", a_cloud("parabolic"))
    wrong = darb3d.run("view", "a.ply", "nowhere", cwd=tmp_path)
    assert wrong.returncode == 2 and "nowhere: expected a run folder" in wrong.stderr
    assert len(wrong.stderr.strip().splitlines()) == 1
    serving = darb3d.start("view", "a.ply", "b.ply", "--port", "0", cwd=tmp_path)
    line = serving.stdout.readline()
    assert line.startswith("serving http://127.0.0.1:"), line
