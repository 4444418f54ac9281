"""A kernel of the user's own, from the command line to a run that shows itself without it."""

from __future__ import annotations

import json

FILE = """
from splatting import kernels

kernels.register("biweight", lambda q: (1 - q / 4) ** 2, 2.0)
"""


def test_trains_scores_and_is_read_back_when_its_file_is_gone(darb3d, mini_scene, tmp_path):
    (tmp_path / "mine.py").write_text(FILE)
    flags = ("--kernel", "mine.py:biweight", "--strategy", "mcmc", "--steps", 30, "--no-viewer")
    result = darb3d.run("train", mini_scene, *flags, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    run = tmp_path / "runs" / "mini-biweight-1"
    config, scores = (json.loads((run / f"{name}.json").read_text()) for name in ("config", "eval"))
    assert config["kernel"] == "mine.py:biweight" and config["strategy"] == "mcmc"
    assert scores["kernel"] == "biweight"
    (tmp_path / "mine.py").unlink()
    for place in (run, run / "splats.ply"):
        again = darb3d.run("eval", place, "--scene", mini_scene, "--json", cwd=tmp_path)
        assert again.returncode == 0, again.stderr
        assert abs(json.loads(again.stdout)["psnr"] - scores["psnr"]) < 1e-3


def test_a_parameter_of_a_kernel_makes_a_folder_name(darb3d, mini_scene, tmp_path):
    flags = ("--kernel", "student-t:nu=10", "--steps", 2, "--no-viewer", "--train-on-all")
    result = darb3d.run("train", mini_scene, *flags, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "runs" / "mini-student-t-nu-10-1" / "splats.ply").exists()
