"""The queue of lifter trainings: its cells, its table, one training from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tyro

from app.commands.fit_lifter import Command
from benchmarks.lifter_grid import PARTS, Cell, queue, rows_of
from benchmarks.trainings import train
from lifting.motions import random_motion
from lifting.protocol import SELECTION
from lifting.random_rigs import random_rig


@pytest.mark.parametrize("part", PARTS)
def test_every_cell_is_a_training_that_the_command_knows(part: str) -> None:
    words = Cell(part, 1).words(Path("rigs"), ["--fit.minutes", "20"])
    command = tyro.cli(
        Command, args=[*words[1:], "-o", "a"], config=(tyro.conf.FlagCreatePairsOff,)
    )
    assert command.protocol and command.fit.seed == 1 and command.fit.minutes == 20
    changed = (command.lifter, command.fit) != _default()
    assert changed == (part != "all")


def _default() -> tuple:
    words = Cell("all", 1).words(Path("rigs"), ["--fit.minutes", "20"])
    command = tyro.cli(
        Command, args=[*words[1:], "-o", "a"], config=(tyro.conf.FlagCreatePairsOff,)
    )
    return command.lifter, command.fit


def test_first_seeds_come_first() -> None:
    cells = queue(2, ["adamw", "all"])
    assert [cell.stem for cell in cells] == ["all-seed0", "adamw-seed0", "all-seed1", "adamw-seed1"]


def test_rows_say_how_far_a_part_is_above_the_whole() -> None:
    def found(part: str, seed: int, error: float) -> dict:
        figures = {"fa_mpjpe": error, "sa_mpjpe": 8.0, "sa_mpve": 1.0, "steps": 100}
        figures |= {"seconds": 30.0, "seen": {"fa_mpjpe": error - 1}}
        figures |= {"jittered": {"sa_mpve": 2.5}, "hidden": {"fa_mpjpe": error + 1}}
        figures["no edges"] = {"fa_mpjpe": error + 2}
        return {"part": part, "seed": seed, "figures": figures}

    change = "-0.35 (-0.50 to -0.20)"
    rows = rows_of(
        [found("adamw", 0, 6.5), found("all", 0, 7.0), found("all", 1, 8.0), found("adamw", 1, 7.8)]
    )
    assert rows == [
        ["all", "7.50", "8.00", "1.00", "2.50", "8.50", "9.50", "6.50", "-", "300", "2"],
        ["adamw", "7.15", "8.00", "1.00", "2.50", "8.15", "9.15", "6.15", change, "300", "2"],
    ]


def test_what_is_trained_is_not_trained_again(tmp_path: Path) -> None:
    done = tmp_path / "done.safetensors"
    done.write_bytes(b"weights")
    train(["nothing that could be trained"], done)
    assert done.read_bytes() == b"weights"


def test_a_cell_that_stands_is_not_trained_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rigs = tmp_path / "rigs"
    rigs.mkdir()
    for name, kind in (("mine__bird", "bird"), (SELECTION[0], "quadruped")):
        rig = random_rig(rng, kind)
        clips = [random_motion(rig, rng, frames=20).xyz for _ in range(2)]  # one is held out
        np.savez(
            rigs / f"{name}.npz",
            positions=np.concatenate(clips),
            joint_names=np.array(rig.skeleton.names),
            parents=rig.skeleton.parents,
            clip_lengths=np.array([20, 20]),
            clip_names=np.array(["walk", "run"]),
            fps=30.0,
        )
    words = [sys.executable, "-m", "benchmarks.lifter_grid", rigs, "--quick"]
    words += ["--folder", tmp_path / "results", "--work", tmp_path / "work"]
    words += ["--words=--fit.tokens 300 --fit.frames 4"]
    texts = [
        subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    (place,) = (tmp_path / "results").glob("*.json")
    figures = json.loads(place.read_text())["figures"]
    assert place.stem == "all-seed0" and figures["steps"] == 2 and figures["fa_mpjpe"] > 0
    assert "1/" in texts[0] and "1/" not in texts[1] and "all" in texts[1]
