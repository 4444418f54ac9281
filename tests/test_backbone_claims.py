"""The experiments on backbones: their verdicts, their queue, and that they run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import backbone_rows, backbones
from benchmarks.backbone_cells import (
    HOLDS,
    IN_PART,
    NOT_SHOWN,
    OPEN,
    SEEDS,
    Cell,
    Found,
    interval,
    judge,
    together,
    told,
)

ROWS = backbone_rows.modules()


@pytest.mark.parametrize(
    ("effect", "claimed", "verdict"),
    [
        ([3.0, 3.1, 2.9], 2.0, HOLDS),
        ([3.0, 3.1, 2.9], 4.0, IN_PART),
        ([3.0, -3.1, 2.9], 0.0, NOT_SHOWN),
        ([-0.1, 0.0, 0.1], -1.0, HOLDS),
        ([-2.1, 0.0, 2.1], -1.0, NOT_SHOWN),
        ([-3.0, -3.1, -2.9], 0.0, NOT_SHOWN),
        ([3.0, 3.1], 0.0, OPEN),
    ],
)
def test_a_claim_holds_when_its_interval_excludes_the_rest(effect, claimed, verdict) -> None:
    assert judge(effect, claimed) == verdict


def test_the_interval_is_students() -> None:
    low, high = interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5), abs=1e-3)
    assert told([1.0, 2.0, 3.0], ".1f", " dB").startswith("2.0 ± 1.0 dB, n = 3, 95 % interval -0.5")
    assert together(HOLDS, HOLDS) == HOLDS and together(HOLDS, NOT_SHOWN) == IN_PART
    assert together(NOT_SHOWN, NOT_SHOWN) == NOT_SHOWN and together(HOLDS, OPEN) == OPEN


def test_options_are_paired_by_seed() -> None:
    results = {Cell("t", {"a": 1}, seed).name: {"x": seed} for seed in SEEDS}
    results |= {Cell("t", {}, seed).name: {"x": 10 * seed} for seed in SEEDS[1:]}
    first, second = Found(results).pair("x", "t", {"a": 1}, {})
    assert first.tolist() == [1, 2] and second.tolist() == [10, 20]
    assert Found(results).values("x", "t", a=1).tolist() == [0, 1, 2]


def test_the_queue_has_each_cell_once_and_knows_how_to_measure_it() -> None:
    cells, tasks = backbones.queue(ROWS), backbones.tasks(ROWS)
    assert len({cell.name for cell in cells}) == len(cells) > 80
    assert {cell.task for cell in cells} <= tasks.keys()
    assert {cell.seed for cell in cells} == set(SEEDS)


@pytest.mark.parametrize("module", ROWS, ids=lambda module: module.__name__[-12:])
def test_rows_without_measurements_say_so(module) -> None:
    for claim in module.claims(Found({})):
        assert claim.verdict == OPEN
        assert claim.markdown().startswith("| 2") and claim.markdown().endswith(f"| {OPEN} |")


def test_the_document_has_a_row_for_every_claim() -> None:
    text = (Path(backbones.__file__).parents[1] / "docs" / "backbones.md").read_text()
    lines = text.split(backbones.BEGIN)[1].split(backbones.END)[0].strip().splitlines()[2:]
    claims = [claim for module in ROWS for claim in module.claims(Found({}))]
    assert [line.split(" | ")[:2] for line in lines] == [[f"| {c.arxiv}", c.claim] for c in claims]
    assert {line.split(" | ")[-1] for line in lines} <= {
        f"{verdict} |" for verdict in (HOLDS, IN_PART, NOT_SHOWN, OPEN)
    }


@pytest.fixture
def small_world(tmp_path: Path) -> Path:
    """A shared folder of noise, in the layout of the real one."""
    rng = np.random.default_rng(0)
    clouds, rigs = tmp_path / "data" / "clouds", tmp_path / "data" / "keypoints" / "synthetic"
    clouds.mkdir(parents=True)
    rigs.mkdir(parents=True)
    np.savez(
        clouds / "modelnet40.npz",
        points=rng.integers(-32767, 32767, (120, 64, 3)).astype(np.int16),
        label=np.repeat(np.arange(40), 3).astype(np.uint8),
        is_test=np.tile([False, False, True], 40),
    )
    from benchmarks.backbone_data import RIGS

    for rig in RIGS:
        np.savez(
            rigs / f"{rig}.npz",
            positions=rng.normal(size=(420, 6, 3)).cumsum(0),
            clip_lengths=np.array([200, 220]),
            parents=np.array([-1, 0, 1, 1, 3, 0]),
            up="y",
        )
    return tmp_path


def test_cells_are_measured_once(small_world: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    folder = tmp_path / "cells"
    words = ["x", "--quick", "--shared", str(small_world), "--folder", str(folder)]
    monkeypatch.setattr("sys.argv", [*words, "--rows", "row05", "row03"])
    backbones.main()
    assert "3/3 points" in capsys.readouterr().out
    for path in folder.glob("*.json"):
        cell = json.loads(path.read_text())
        assert {"machine", "cpu_seconds", "options", "seed"} <= cell.keys() and cell["within_limit"]
    backbones.main()
    assert "/3" not in capsys.readouterr().out


def test_poses_are_lifted(small_world: Path, monkeypatch) -> None:
    from benchmarks import backbone_tasks

    monkeypatch.setattr(backbone_tasks, "POSE_STEPS", 1)
    for axis in ("frames", "joints"):
        cell = Cell("poses", {"axis": axis, "placed": True})
        found = backbone_tasks.train_poses(cell, small_world)
        assert len(found["errors"]) == 5 and found["error"] > 0 and found["start"]["mass"] > 0


def test_the_cost_of_each_option_is_told(monkeypatch, capsys) -> None:
    from benchmarks import backbone_cost

    monkeypatch.setattr("sys.argv", ["x", "--quick"])
    monkeypatch.setattr(backbone_cost, "TOKENS", {128: 1})
    backbone_cost.main()
    text = capsys.readouterr().out
    assert "attention=poly3" in text and "graying=dct" in text and "mixer=tokens" in text
