"""Photos without a model: cameras are found, then trained on; stopped, continued, refused."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

import data

pytest.importorskip("pycolmap", reason="no wheel of pycolmap for this machine")

TRUTH = Path(data.__file__).parent / "samples" / "synth_splats" / "gt_splats.ply"


@pytest.fixture
def walk(tmp_path, banana) -> Path:
    """Eight neighbouring photos of the bundled scene in a folder of their own."""
    folder = tmp_path / "walk"
    folder.mkdir()
    for number in (30, 31, 32, 33, 35, 36, 37, 38):
        shutil.copy(banana / "images" / f"DSC_04{number}.jpg", folder)
    return folder


def test_train_finds_cameras_first_and_eval_knows_them(darb3d, walk, tmp_path):
    words = ("--steps", 20, "--data-factor", 4, "--no-viewer")
    result = darb3d.run("train", "walk", *words, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "cameras found for" in result.stdout and "pairs compared: 28 of 28" in result.stdout
    run = tmp_path / "runs" / "walk-raised-cosine-1"
    assert (run / "sfm" / "sparse" / "0" / "cameras.bin").exists()
    assert not (run / "sfm" / "database.db").exists()  # as large as the photos, and done with
    assert sorted(path.suffix for path in walk.iterdir()) == [".jpg"] * 8
    scored = darb3d.run("eval", run, "--json", cwd=tmp_path)
    again = json.loads(scored.stdout)
    assert again["psnr"] == pytest.approx(json.loads((run / "eval.json").read_text())["psnr"])


def test_stopped_while_finding_cameras_it_goes_on(darb3d, walk, tmp_path):
    words = ("train", "walk", "--steps", 5, "--data-factor", 4, "--no-viewer", "--train-on-all")
    words += ("--out", "run")
    process = darb3d.start(*words, cwd=tmp_path)
    for line in process.stdout:
        if line.startswith("photos searched"):
            process.send_signal(signal.SIGTERM)
            break
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, err
    assert "stopped while finding cameras in run" in out
    assert "go on with: darb3d train walk --resume run" in out
    result = darb3d.run(*words[:-2], "--resume", "run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "finished").exists()


def test_what_goes_wrong_later_keeps_the_cameras(darb3d, walk, tmp_path):
    (tmp_path / "bad.ply").write_bytes(b"nothing")
    words = ("train", "walk", "--steps", 5, "--data-factor", 4, "--no-viewer", "--out", "run")
    result = darb3d.run(*words, "--init", "bad.ply", cwd=tmp_path)
    assert result.returncode == 2 and "bad.ply: expected a PLY file" in result.stderr
    assert "cameras are kept in run\ngo on with: darb3d train walk --resume run" in result.stdout
    again = darb3d.run("train", "walk", "--no-viewer", "--resume", "run", cwd=tmp_path)
    assert again.returncode == 2 and "bad.ply" in again.stderr
    (tmp_path / "good.ply").write_bytes(TRUTH.read_bytes())
    other = ("--resume", "run", "--init", "good.ply", "--kernel", "gaussian")
    again = darb3d.run("train", "walk", "--no-viewer", *other, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "pairs compared" not in again.stdout and (tmp_path / "run" / "finished").exists()


def test_sfm_alone_makes_a_colmap_scene(darb3d, walk, tmp_path):
    (tmp_path / "scene").mkdir()
    walk.rename(tmp_path / "scene" / "images")
    result = darb3d.run("sfm", "scene/images", "-o", "scene", "--pairs", "film", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "wrote scene/sparse/0" in result.stdout
    result = darb3d.run(
        "train",
        "scene",
        *("--steps", 2, "--data-factor", 4, "--no-viewer", "--train-on-all"),
        cwd=tmp_path,
    )
    assert result.returncode == 0 and "cameras found" not in result.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("sfm", "nowhere", "-o", "out"), "expected photos or a video, found nothing"),
        (("sfm", "note.txt", "-o", "out"), "expected a folder of photos or a video, found a file"),
        (("sfm", "few", "-o", "out"), "expected at least 3 photos"),
        (("sfm", "few", "-o", "out", "--lens", "ROUND"), "--lens: expected one of SIMPLE_PINHOLE"),
        (("sfm", "few", "-o", "out", "--fps", 0), "--fps"),
        (("train", "few", "--no-viewer"), "expected at least 3 photos"),
        (("train", "bad.mp4", "--no-viewer"), "bad.mp4: expected a video"),
        (("train", "note.txt", "--no-viewer"), "note.txt: expected a folder"),
    ],
)
def test_what_cannot_be_is_one_line(darb3d, tmp_path, words, says):
    import PIL.Image

    (tmp_path / "few").mkdir()
    for name in ("a.png", "b.png"):
        PIL.Image.new("RGB", (40, 30)).save(tmp_path / "few" / name)
    (tmp_path / "note.txt").write_text("hello")
    (tmp_path / "bad.mp4").write_bytes(b"hello")
    result = darb3d.run(*words, cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.splitlines()) == 1 and says in result.stderr
    assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())
