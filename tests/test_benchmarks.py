"""Benchmarks run, and write what they print: otherwise they rot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BANANA = "data/samples/banana"


def run(name: str, *words: object) -> str:
    result = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def test_render_times_every_stage(tmp_path: Path) -> None:
    out = tmp_path / "render.json"
    run("render", "--quick", "--rounds", 1, "--json", out)
    content = json.loads(out.read_text())
    assert {"cpu", "cores", "versions", "commit", "date"} <= set(content["machine"])
    assert len(content["cells"]) == 4
    for cell in content["cells"]:
        assert {"project", "composite", "composite_backward"} <= set(cell["stages"])
        assert all(stage["wall_ms"] > 0 for stage in cell["stages"].values())


def test_step_reports_its_median_beside_the_stages(tmp_path: Path) -> None:
    out = tmp_path / "step.json"
    words = ["--size", "124x80", "--splats", 9000, "--kernel", "raised-cosine", "--threads", 1]
    run("step", BANANA, *words, "--quick", "--json", out)
    content = json.loads(out.read_text())
    assert content["splats"] == 9000 and content["threads"] == 1
    assert (content["width"], content["height"]) == (124, 80)
    parts = ("forward", "l1_dssim", "backward", "adam")
    assert content["step_ms"] > 0.8 * sum(content["stages"][part]["wall_ms"] for part in parts)


def test_memory_grows_from_part_to_part(tmp_path: Path) -> None:
    out = tmp_path / "memory.json"
    run("memory", BANANA, "--data-factor", 4, "--quick", "--json", out)
    content = json.loads(out.read_text())
    assert content["photos_mb"] < content["steps_mb"] <= content["peak_mb"]


def test_startup_ends_at_the_first_step(tmp_path: Path) -> None:
    out = tmp_path / "startup.json"
    run("startup", BANANA, "--data-factor", 4, "--quick", "--json", out)
    content = json.loads(out.read_text())
    assert content["cpu_s"] > 0.2 and 0.2 < content["first_step_s"] < 60


@pytest.mark.parametrize("flag", [[], ["--inner"]])
def test_quality_measures_a_cell_once(tmp_path: Path, flag: list[str]) -> None:
    out = tmp_path / "cell.json"
    words = [BANANA, "--data-factor", 4, "--quick", "--json", out, *flag]
    run("quality", *words)
    content = json.loads(out.read_text())
    assert content["steps"] == 30 and content["psnr"] > 10
    assert content["views"] == ([11, 2] if flag else [13, 2])
    assert "stands already" in run("quality", *words)


def test_what_stands_is_printed_with_its_date_and_commit() -> None:
    rows = [line.split() for line in run("quality", "--table").splitlines()]
    assert rows[0][-2:] == ["date", "commit"] and len(rows) > 3
    assert all(len(row[-1]) == 7 and row[-2].count("-") == 2 for row in rows[1:])


def test_ablation_is_a_queue_that_skips_what_stands(tmp_path: Path) -> None:
    words = ["--quick", "--folder", tmp_path]
    assert "1/1 synth_room-raised-cosine-adaptive-default-seed0" in run("ablation", *words)
    again = run("ablation", *words)
    assert "1/1" not in again and "synth_room" in again


def test_kernel_table_prints_every_kernel() -> None:
    text = run("kernel_table")
    assert all(name in text for name in ("gaussian", "raised-cosine", "student-t"))


def test_kernels_is_a_queue_that_skips_what_stands(tmp_path: Path) -> None:
    words = ["--quick", "--folder", tmp_path, "--json", tmp_path.parent / "all.json"]
    assert "6/6" in run("kernels", *words)
    cells = json.loads((tmp_path.parent / "all.json").read_text())["cells"]
    assert {(c["kernel"], c["rule"]) for c in cells} == {
        (kernel, rule)
        for kernel in ("gaussian", "parabolic")
        for rule in ("time", "steps", "splats")
    }
    timed = next(c for c in cells if c["rule"] == "time")
    assert timed["curve"][0]["psnr"] > 5 and timed["curve"][-1]["step"] == timed["steps"]
    again = run("kernels", *words)
    assert "/6" not in again and "equal splats" in again


def test_kernel_cost_times_ones_own_beside_a_built_in(tmp_path: Path) -> None:
    out = tmp_path / "cost.json"
    run("kernel_cost", "--quick", "--json", out)
    cells = {(c["kernel"], c["scales"]): c for c in json.loads(out.read_text())["cells"]}
    assert {name for name, _ in cells} >= {"gaussian", "raised-cosine", "quartic", "triangle"}
    assert cells["quartic", "as stored"]["composite_ms"] > 0


def test_limit_counts_what_paints(tmp_path: Path) -> None:
    out = tmp_path / "limit.json"
    words = ["data/samples/synth_room", "--quick", "--splats", 3000, "--kernel", "gaussian"]
    run("limit", *words, "--json", out)
    (cell,) = json.loads(out.read_text())["cells"]
    assert 0 < cell["share_of_visited"] <= 1 and cell["useful_pairs"] > 1000
    assert 0 < cell["forward_share_of_peak"] < 1 and 0 < cell["backward_share_of_peak"] < 1


def test_opensplat_prints_records_or_measures_a_binary(tmp_path: Path) -> None:
    room = "data/samples/synth_room"
    assert "AMD Zen 5" in run("opensplat", room, "--quick")
    fake, out = tmp_path / "opensplat", tmp_path / "out.json"
    # 10 ms a step and half a second to start
    fake.write_text('#!/bin/sh\nsleep $(awk "BEGIN { print 0.5 + 0.01 * $4 }")\n')
    fake.chmod(0o755)
    run("opensplat", room, "--binary", fake, "--rounds", 1, "--json", out)
    cell = json.loads(out.read_text())["cell"]
    assert 8 < cell["opensplat_step_ms"] < 14
    assert cell["ratio"] == pytest.approx(
        cell["opensplat_step_ms"] / cell["darb3d_step_ms"], rel=0.1
    )


def test_scaling_grows_along_three_axes(tmp_path: Path) -> None:
    out = tmp_path / "scaling.json"
    run("scaling", "--quick", "--rounds", 1, "--json", out)
    cells = json.loads(out.read_text())["cells"]
    assert {c["splats"] for c in cells} == {10_000, 30_000, 20_000}
    assert all(c["ns_a_pair"] > 0 for c in cells) and cells[-1]["speed_up"] > 0


def test_pointcloud_is_a_queue_that_skips_what_stands(tmp_path: Path) -> None:
    out, words = tmp_path / "all.json", ["--quick", "--folder", tmp_path / "cells"]
    assert "7/7 training" in run("pointcloud", *words)
    assert "/7 " not in run("pointcloud", *words, "--json", out)
    figures = {name: cell["figures"] for name, cell in json.loads(out.read_text())["cells"].items()}
    # as published: 88 % fewer multiply-adds at K = 16, 76 % at 32
    assert figures["macs"]["3dgpe-16, encoder saves"] == pytest.approx(0.881, abs=1e-3)
    assert figures["macs"]["3dgpe-32, encoder saves"] == pytest.approx(0.762, abs=1e-3)
    assert figures["mamba3d-small"]["gaussian over pointnet, million multiply-adds"] < 0.46
    filters = figures["filters"]
    assert all(0 < filters[f"{k}, 4 voxels, tau 0.001, active"] < 32 for k in ("voxel", "bbox"))
    assert all(v > 0 for name, v in figures["speed-b1-t1"].items() if name.endswith("ms"))


def test_lifting_without_its_data_shows_what_stands(tmp_path: Path) -> None:
    out = tmp_path / "lifting.json"
    text = run("lifting", "--folder", tmp_path / "none", "--json", out)
    assert "no --shared FOLDER" in text and json.loads(out.read_text()) == {"rows": []}
