"""The queue that adapts and forgets: every way runs, a cell that stands is not run again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import cloud_adapting
from benchmarks.cloud_adapting import Cell, adapted, forgotten, rows_of
from pointcloud.classifier_files import SavedClassifier, new_model, save_classifier
from tests.pointcloud.small_models import SMALL
from tests.pointcloud.solids import made_clouds, write_npz


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("adapting")
    write_npz(folder / "old.npz", made_clouds(("ball", "box", "rod"), 12))
    write_npz(folder / "new.npz", made_clouds(("ring", "cone"), 12))
    model = new_model(SMALL["3dgpe"], 3, seed=0)
    save_classifier(folder / "base.safetensors", SavedClassifier(model, ("ball", "box", "rod")))
    return folder


@pytest.mark.parametrize("way", cloud_adapting.ADAPTED)
def test_every_way_of_adapting(folder: Path, way: str) -> None:
    cell = Cell(str(folder / "base.safetensors"), folder / "new.npz", way, 0)
    found = adapted(cell, 2)
    assert 0 <= found["accuracy"] <= 100
    assert (found["bytes"] < 20_000) == (not way.startswith("all"))


@pytest.mark.parametrize("way", cloud_adapting.FORGOTTEN)
def test_every_way_of_forgetting(folder: Path, way: str) -> None:
    cell = Cell(str(folder / "base.safetensors"), folder / "old.npz", way, 0, "rod")
    found = forgotten(cell, 2)
    assert found["share_of_bound"] > 0 and 0 <= found["retain"] <= 100


def test_rows_are_means_over_seeds() -> None:
    cells = [
        {"task": "a-adapt", "way": "lora", "figures": {"accuracy": value, "bytes": 900}}
        for value in (90.0, 92.0)
    ]
    assert rows_of(cells) == [["a-adapt", "lora", "2", "accuracy 91.0 (90.0 to 92.0); bytes 900.0"]]


def test_a_cell_that_stands_is_not_run_again(folder: Path) -> None:
    words = ["-m", "benchmarks.cloud_adapting", "--base", folder / "base.safetensors", "--quick"]
    words += ["--data", folder / "new.npz", "--folder", folder / "results"]
    texts = [
        subprocess.run(
            [sys.executable, *map(str, words)], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    places = sorted((folder / "results").glob("*.json"))
    names = ["base-new-adapt-head-seed0", "base-new-adapt-sine-lora-seed0"]
    assert [place.stem for place in places] == names
    assert json.loads(places[0].read_text())["way"] == "head"
    assert "1/" in texts[0] and "1/" not in texts[1] and "sine-lora" in texts[1]
