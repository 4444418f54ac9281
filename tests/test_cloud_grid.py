"""The queue of classifier trainings: its cells, its table, one training from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tyro

from app.commands.fit_classifier import Command
from benchmarks.cloud_grid import GRIDS, first_at, rows_of
from benchmarks.trainings import curve_of
from tests.pointcloud.solids import made_clouds, write_npz


@pytest.mark.parametrize("grid", GRIDS)
def test_every_cell_is_a_training_that_the_command_knows(grid: str) -> None:
    cells = GRIDS[grid](2, Path("teacher.safetensors"))
    assert len({cell.stem for cell in cells}) == len(cells) and len(cells) % 2 == 0
    for cell in cells:
        words = ["--data", "d.npz", "-o", "o.safetensors", *cell.words, "--epochs", "1"]
        command = tyro.cli(Command, args=words)
        command._model_config()
        command._fit_config(steps=1)
        assert (command._distil_config() is not None) == ("distilled" in cell.name)


def line(step: int, overall: float) -> dict[str, float]:
    return {"step": step, "seconds": 1.0, "overall": overall, "mean_class": 0.5}


def test_what_was_trained_twice_counts_once(tmp_path: Path) -> None:
    lines = [line(3, 0.1), line(6, 0.2), line(6, 0.3), line(9, 0.4)]
    path = tmp_path / "a.curve.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    curve = curve_of(path)
    assert [(one["step"], one["overall"]) for one in curve] == [(3, 0.1), (6, 0.3), (9, 0.4)]
    assert first_at(curve, 0.3) == 6 and first_at(curve, 0.5) is None


def test_rows_are_means_over_seeds() -> None:
    def found(seed: int, scores: list[float]) -> dict:
        curve = [line(10 * (k + 1), score) for k, score in enumerate(scores)]
        figures = {"curve": curve, "accuracy": scores[-1], "seconds": 60.0}
        return {"name": "net", "seed": seed, "figures": figures}

    (row,) = rows_of([found(0, [0.5, 0.7]), found(1, [0.6, 0.8])], 0.75)
    assert row == ["net", "55.0", "75.0", "-", "-", "-", "-", "75.0", "20 (1 of 2)", "60", "2"]


def test_a_cell_that_stands_is_not_trained_again(tmp_path: Path) -> None:
    write_npz(tmp_path / "solids.npz", made_clouds(("ball", "box"), 12))
    words = [sys.executable, "-m", "benchmarks.cloud_grid", "gaussians", tmp_path / "solids.npz"]
    words += ["--quick", "--folder", tmp_path / "results", "--work", tmp_path / "work"]
    words += ["--words=--batch 8 --width 16 --gaussians 4 --points 64 --threads 1"]
    texts = [
        subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    (place,) = (tmp_path / "results" / "gaussians-solids").glob("*.json")
    figures = json.loads(place.read_text())["figures"]
    assert place.stem == "natural-labels-seed0" and figures["steps"] == 6
    assert [one["step"] for one in figures["curve"]] == [2, 4, 6]
    assert "held out" in texts[0] and "held out" not in texts[1]
    assert all("natural-labels" in text.splitlines()[-1] for text in texts)
