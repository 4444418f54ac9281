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
    words = ["--data-factor", 4, "--splats", 9000, "--kernel", "raised-cosine", "--threads", 1]
    run("step", BANANA, *words, "--quick", "--json", out)
    content = json.loads(out.read_text())
    assert content["splats"] == 9000 and content["threads"] == 1
    parts = ("forward", "l1_dssim", "backward", "adam")
    assert content["step_ms"] > 0.8 * sum(content["stages"][part]["wall_ms"] for part in parts)


@pytest.mark.parametrize("flag", [[], ["--inner"]])
def test_quality_measures_a_cell_once(tmp_path: Path, flag: list[str]) -> None:
    out = tmp_path / "cell.json"
    words = [BANANA, "--data-factor", 4, "--quick", "--json", out, *flag]
    run("quality", *words)
    content = json.loads(out.read_text())
    assert content["steps"] == 30 and content["psnr"] > 10
    assert content["views"] == ([11, 2] if flag else [13, 2])
    assert "stands already" in run("quality", *words)


def test_contact_sheet_is_drawn(tmp_path: Path) -> None:
    from PIL import Image

    out = tmp_path / "sheet.jpg"
    truth = "data/samples/synth_splats/gt_splats.ply"
    run("contact_sheet", "data/samples/synth_splats", truth, "-o", out, "--width", 120)
    assert Image.open(out).width > 3 * 120


def test_kernel_table_prints_both_kernels() -> None:
    text = run("kernel_table")
    assert "gaussian" in text and "raised-cosine" in text
