"""A training that was killed goes on where it was last saved, and ends as if nothing had
happened."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from splatting.checkpoint import load_state

STEPS = 400


def same_splats(a: Path, b: Path) -> None:
    one, two = (load_state(run / "splats.safetensors")[0] for run in (a, b))
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], err_msg=name)


def killed(darb3d, scene: Path, cwd: Path, *flags: object) -> Path:
    """The folder of a training killed (-9) some time after its first state was saved."""
    words = ("--steps", STEPS, "--save-every", 0.02, "--out", "cut", "--no-viewer", *flags)
    process = darb3d.start("train", scene, *words, cwd=cwd)
    state = cwd / "cut" / "state.previous.safetensors"
    for _ in range(24_000):
        if state.exists():
            break
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)  # a quick machine is done in a moment
    process.kill()
    process.communicate()
    return cwd / "cut"


@pytest.mark.parametrize("threads", [1, 2])
def test_killed_and_resumed_is_bit_for_bit_the_same(darb3d, mini_scene, tmp_path, threads):
    flags = ("--threads", threads)
    straight = ("--steps", STEPS, "--out", "straight", "--no-viewer")
    assert darb3d.run("train", mini_scene, *straight, *flags, cwd=tmp_path).returncode == 0
    run = killed(darb3d, mini_scene, tmp_path, *flags)
    assert not (run / "finished").exists()
    result = darb3d.run("train", mini_scene, "--resume", run, "--no-viewer", *flags, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"resuming {run} at step" in result.stdout
    same_splats(tmp_path / "straight", run)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines]
    assert steps == sorted(set(steps)) and steps[-1] == STEPS
    assert json.loads((run / "eval.json").read_text())["steps"] == STEPS


def test_a_damaged_state_gives_way_to_the_one_before(darb3d, mini_scene, tmp_path):
    run = killed(darb3d, mini_scene, tmp_path)
    whole = (run / "state.previous.safetensors").read_bytes()
    (run / "state.safetensors").write_bytes(whole[: len(whole) // 2])
    result = darb3d.run("train", mini_scene, "--resume", run, "--no-viewer", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "state.safetensors: expected a safetensors file" in result.stdout
    for name in ("state.safetensors", "state.previous.safetensors"):
        (run / name).write_bytes(b"nothing")
    again = darb3d.run(
        "train", mini_scene, "--resume", run, "--steps", STEPS + 100, "--no-viewer", cwd=tmp_path
    )
    assert again.returncode == 2 and len(again.stderr.splitlines()) == 1


def test_the_newest_unfinished_run_and_more_steps(darb3d, mini_scene, tmp_path):
    def train(*flags):
        return darb3d.run("train", mini_scene, "--no-viewer", *flags, cwd=tmp_path)

    assert train("--steps", 5).returncode == 0
    none = train("--resume")
    assert none.returncode == 2 and "expected an unfinished run" in none.stderr
    none = train("--resume", "--steps", 5)
    assert none.returncode == 2 and "more --steps or --minutes than it had" in none.stderr
    found = train("--resume", "--steps", 9)
    assert found.returncode == 0, found.stderr
    assert "mini-raised-cosine-1 at step 5" in found.stdout
    run = tmp_path / "runs" / "mini-raised-cosine-1"
    assert json.loads((run / "eval.json").read_text())["steps"] == 9
    assert json.loads((run / "config.json").read_text())["steps"] == 9


def test_what_may_not_change_is_refused(darb3d, mini_scene, write_scene, tmp_path):
    run = tmp_path / "run"
    words = ("--steps", 3, "--no-viewer", "--train-on-all", "--out", run)
    assert darb3d.run("train", mini_scene, *words, cwd=tmp_path).returncode == 0
    cases = [
        ((mini_scene, "--kernel", "gaussian"), "--kernel: expected raised-cosine"),
        ((mini_scene, "--seed", 4), "--seed: expected 0"),
        ((write_scene(tmp_path / "other"),), "expected a run of"),
    ]
    for words, says in cases:
        result = darb3d.run("train", *words, "--resume", run, "--no-viewer", cwd=tmp_path)
        assert result.returncode == 2, result.stdout
        assert says in result.stderr and len(result.stderr.splitlines()) == 1
    missing = darb3d.run(
        "train", mini_scene, "--resume", tmp_path / "nowhere", "--no-viewer", cwd=tmp_path
    )
    assert missing.returncode == 2 and "nowhere" in missing.stderr


def test_a_scene_that_has_changed_is_refused(darb3d, mini_scene, tmp_path):
    """The order of photos is part of the state: with one photo less it would mean others."""
    words = ("train", mini_scene, "--no-viewer", "--out", "run")
    assert darb3d.run(*words, "--steps", 3, cwd=tmp_path).returncode == 0
    (mini_scene / "images" / "009.png").unlink()
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.*")}
    result = darb3d.run(*words, "--resume", "--steps", 9, cwd=tmp_path)
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1
    assert "expected the 8 training photos with which the training began, found 7" in result.stderr
    after = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.*")}
    assert after == before
