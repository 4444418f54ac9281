"""A training killed (-9) at random moments, again and again: each time it goes on from its last
save, and in the end nothing tells it from one that was left alone. `make soak` kills fifty times.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from data.errors import UserError
from splatting.checkpoint import load_state

KILLS = int(os.environ.get("DARB3D_SOAK", "2"))
STEPS_A_KILL = 150
LONGEST_S = 60 * KILLS + 240


def last_step(run: Path) -> int:
    """Of the newest state that can be read; -1 without one."""
    for name in ("state.safetensors", "state.previous.safetensors"):
        with suppress(UserError):
            return int(load_state(run / name)[1]["step"])
    return -1


@pytest.mark.timeout(2 * LONGEST_S)
def test_killed_again_and_again(darb3d, mini_scene, tmp_path):
    steps = STEPS_A_KILL * (KILLS + 1)
    words = ("train", mini_scene, "--steps", steps, "--save-every", 0.05, "--no-viewer")
    words += ("--train-on-all",)  # no score: it would take longer than the training
    straight = darb3d.run(*words, "--out", "straight", cwd=tmp_path, timeout_s=LONGEST_S)
    assert straight.returncode == 0, straight.stderr
    rng = np.random.default_rng(0)
    run, seen = tmp_path / "cut", -1
    for _ in range(KILLS):
        resumed = ("--resume", run) if (run / "config.json").exists() else ("--out", run)
        process = darb3d.start(*words, *resumed, cwd=tmp_path)
        deadline = time.monotonic() + 60
        while last_step(run) <= seen and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(float(rng.uniform(0, 0.3)))
        process.kill()
        process.communicate()
        now = last_step(run)
        assert now >= seen, "a save was lost"
        seen = now
    result = darb3d.run(*words, "--resume", run, cwd=tmp_path, timeout_s=LONGEST_S)
    assert result.returncode == 0, result.stderr
    one, two = (load_state(tmp_path / n / "splats.safetensors")[0] for n in ("straight", "cut"))
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], err_msg=name)
    assert not list(run.glob(".*")), "drafts of killed saves stay"
