"""The queue of options on folds of the training photos: what is held out stays closed; one cell
end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import data
from benchmarks.folds import FOLDS, fold_of, rows_of


def test_folds_score_training_photos_in_turn_and_nothing_else(banana: Path) -> None:
    scene = data.load_scene(banana, 4)
    outside = {view.name for view in scene.test}
    scored: list[str] = []
    for fold in range(FOLDS):
        part = fold_of(scene, 6, fold)
        assert part is not None and len(part.train) == 6
        names = {view.name for view in part.train}
        held_out = [view.name for view in part.test]
        assert names.isdisjoint(held_out) and outside.isdisjoint([*names, *held_out])
        scored += held_out
        whole = fold_of(scene, 0, fold)
        assert whole is not None
        assert len(whole.train) + len(whole.test) == len(scene.train)
    assert sorted(scored) == sorted(view.name for view in scene.train)
    assert fold_of(scene, 12, 0) is None


def test_gains_are_those_of_the_same_folds(tmp_path: Path) -> None:
    scores = {("no-depth", 0): 20.0, ("no-depth", 1): 24.0}
    scores |= {("no-price", 0): 21.0, ("no-price", 1): 24.5, ("no-price", 2): 9.0}
    for (option, fold), psnr in scores.items():
        cell = {"scene": "fox", "photos": 0, "option": option, "fold": fold, "psnr": psnr}
        (tmp_path / f"{option}-{fold}.json").write_text(json.dumps(cell))
    assert rows_of(tmp_path) == [
        ["fox", "all", "no-depth", "22.00", "+0.00", "+0.00 +0.00"],
        ["fox", "all", "no-price", "18.17", "+0.75", "+1.00 +0.50"],
    ]


def test_a_cell_that_stands_is_skipped(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "benchmarks.folds", "--only", "synth_room", "--quick"]
    words += ["--photos", "6", "--folder", str(tmp_path)]
    first, second = (
        subprocess.run(words, capture_output=True, text=True, check=True).stdout for _ in range(2)
    )
    name = "synth_room-6-no-depth-fold0"
    assert f"{name}: " in first and name not in second
