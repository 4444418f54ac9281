"""Films, pictures, meshes, contact sheets and camera lists of a run, from the command line."""

from __future__ import annotations

import json

import numpy as np
import PIL.Image
import pytest

from data.ply import read_vertices


@pytest.fixture(scope="module")
def run(darb3d, banana, tmp_path_factory):
    """A short training of the bundled scene."""
    folder = tmp_path_factory.mktemp("render")
    words = ("--steps", 250, "--data-factor", 4, "--no-viewer", "--out", "run")
    result = darb3d.run("train", banana, *words, cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder / "run"


@pytest.mark.parametrize("what", ["rgb", "depth", "alpha", "count", "contribution", "ellipsoids"])
def test_pictures_along_a_path(darb3d, run, tmp_path, what):
    words = ("--frames", 3, "--path", "through", "--what", what, "--width", 80)
    result = darb3d.run("render", run, "-o", "out", *words, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "wrote out: 3 frames of 80x53\n"
    pictures = [np.asarray(PIL.Image.open(f)) for f in sorted((tmp_path / "out").iterdir())]
    assert len(pictures) == 3 and all(p.shape == (53, 80, 3) for p in pictures)
    assert pictures[1].std() > 5


def test_a_level_that_no_splat_can_have_is_one_line(darb3d, run, tmp_path):
    words = ("--what", "ellipsoids", "--level", 1.5)
    result = darb3d.run("render", run, "-o", "out", *words, cwd=tmp_path)
    assert result.returncode == 2 and "--level: expected 0.01 to 0.95" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_film_that_plays(darb3d, run, tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the extra 'video' is not installed")
    words = ("--frames", 8, "--fps", 4, "--width", 101)
    result = darb3d.run("render", run, "-o", "film.mp4", *words, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    stream = ffmpeg.read_frames(str(tmp_path / "film.mp4"))
    facts = next(stream)
    assert facts["size"] == (100, 66) and facts["duration"] == pytest.approx(2, abs=0.3)
    assert len(list(stream)) == 8
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_the_held_out_cameras_draw_what_the_run_kept(darb3d, run, tmp_path):
    result = darb3d.run("render", run, "-o", "out", "--path", "test", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    mine = np.asarray(PIL.Image.open(tmp_path / "out" / "00000.png")).astype(int)
    kept = np.asarray(PIL.Image.open(sorted((run / "renders").iterdir())[0])).astype(int)
    assert np.abs(mine - kept).max() <= 1


def test_a_mesh_of_what_the_cameras_see(darb3d, run, tmp_path):
    o3d = pytest.importorskip("open3d", reason="no wheel of open3d for this machine")
    result = darb3d.run("mesh", run, "-o", "mesh.ply", "--cells", 128, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    mesh = o3d.io.read_triangle_mesh(str(tmp_path / "mesh.ply"))
    assert len(mesh.triangles) > 500 and mesh.has_vertex_colors()
    splats = read_vertices(run / "splats.ply")[0]
    inside = np.quantile(np.stack([splats[axis] for axis in "xyz"], 1), [0.01, 0.99], axis=0)
    middle = np.median(np.asarray(mesh.vertices), axis=0)
    assert ((middle > inside[0]) & (middle < inside[1])).all()


def test_a_contact_sheet(darb3d, run, tmp_path):
    result = darb3d.run("eval", run, "--sheet", "sheet.jpg", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert PIL.Image.open(tmp_path / "sheet.jpg").width > 3 * 400


def test_cameras_as_3dgs_writes_them(darb3d, run, tmp_path, banana):
    from data import load_scene

    result = darb3d.run("export", run, "-o", "cameras.json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    entries = json.loads((tmp_path / "cameras.json").read_text())
    views = load_scene(banana, 4).views
    assert [entry["img_name"] for entry in entries] == [view.name for view in views]
    for entry, view in zip(entries, views, strict=True):
        np.testing.assert_allclose(entry["position"], view.camera.position_world)
        np.testing.assert_allclose(entry["rotation"], view.camera.cam_from_world[:3, :3].T)
        assert (entry["width"], entry["fx"]) == (view.camera.width, view.camera.K[0, 0])


@pytest.mark.parametrize("ending", ["spz", "splat"])
def test_a_file_of_another_program_is_drawn_and_scored(darb3d, run, tmp_path, banana, ending):
    pytest.importorskip("gaussforge", reason="the extra 'formats' is not installed")
    name = f"a.{ending}"
    words = ("--bake-gaussian",)
    exported = darb3d.run("export", run, "-o", name, *words, cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert "as Gaussians:" in exported.stdout and "dB on 2 held-out photos" in exported.stdout
    assert exported.stdout.count("dB lost") == 1
    flags = ("--scene", banana, "--data-factor", 4, "--json")
    scored = darb3d.run("eval", name, *flags, cwd=tmp_path)
    assert scored.returncode == 0, scored.stderr
    own = json.loads((run / "eval.json").read_text())["psnr"]
    assert json.loads(scored.stdout)["psnr"] > own - 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("render", "RUN", "-o", "a.gif"), "expected a name that ends in .mp4"),
        (("render", "RUN", "-o", "a", "--path", "up"), "--path: expected around"),
        (("render", "RUN", "-o", "a", "--path", "no.json"), "no.json: expected a readable file"),
        (("render", "RUN", "-o", "a", "--frames", 0), "--frames, --fps: expected above 0"),
        (("render", "RUN", "-o", "a", "--width", 3), "--width: expected 16 to 16384"),
        (("render", "RUN", "-o", "a", "--background", 0, 0, 2), "--background"),
        (("render", "PLY", "-o", "a"), "add --scene SCENE"),
        (("mesh", "RUN", "-o", "a.txt"), "expected a name that ends in .ply, .obj"),
        (("mesh", "RUN", "-o", "a.ply", "--cells", 2), "--cells: expected 16 to 1024"),
        (("mesh", "RUN", "-o", "a.ply", "--side", 0), "--side: expected above 0"),
        (("mesh", "PLY", "-o", "a.ply"), "add --scene SCENE"),
        (("export", "PLY", "-o", "cameras.json"), "expected a run folder"),
        (("eval", "RUN", "--sheet", "a.pdf"), "--sheet a.pdf: expected"),
        # before anything is loaded: no scene is known here
        (("eval", "PLY", "--sheet", "a.pdf"), "--sheet a.pdf: expected"),
    ],
)
def test_what_cannot_be_is_one_line(darb3d, run, tmp_path, words, says):
    known = {"RUN": run, "PLY": run / "splats.ply"}
    result = darb3d.run(*(known.get(word, word) for word in words), cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.splitlines()) == 1 and says in result.stderr
    assert not list(tmp_path.iterdir())
