"""A disk that is full while a training saves: it goes on, waits for room at its end, loses
nothing."""

from __future__ import annotations

import errno
import json

import pytest

from app import training_run
from app.commands.train import Command
from data.errors import UserError
from splatting import checkpoint


@pytest.fixture
def full(monkeypatch):
    """Let the first `count` writes of splats find no room; returns what sets it."""
    left = {"writes": 0}
    write = checkpoint.save_splats

    def save_splats(path, splats):
        if left["writes"]:
            left["writes"] -= 1
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, splats)

    monkeypatch.setattr(checkpoint, "save_splats", save_splats)
    monkeypatch.setattr(training_run.time, "sleep", lambda seconds: None)
    return lambda count: left.update(writes=count)


def train(scene, run):
    return Command(scene, steps=30, out=run, no_viewer=True, save_every=1e-6).run()


def test_it_goes_on_and_saves_when_there_is_room(full, mini_scene, tmp_path, capsys):
    full(35)  # thirty steps, and five tries at the end
    assert train(mini_scene, tmp_path / "run") == 0
    text = capsys.readouterr().out
    assert text.count("the disk is full: step ") == 30 and "training goes on" in text
    assert text.count("make room, or give up with Ctrl-C") == 1
    assert json.loads((tmp_path / "run" / "eval.json").read_text())["steps"] == 30
    assert checkpoint.load_state(tmp_path / "run" / "state.safetensors")[1]["step"] == "30"


def test_it_does_not_wait_for_ever(full, mini_scene, tmp_path, monkeypatch):
    full(1000)
    monkeypatch.setattr(training_run, "WAIT_FOR_ROOM_S", 0.0)
    with pytest.raises(UserError, match="expected room for the last save, found none"):
        train(mini_scene, tmp_path / "run")
