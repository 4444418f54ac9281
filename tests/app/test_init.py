"""`--init`: a training that starts from splats, of a run or of a file."""

from __future__ import annotations

import json


def test_it_starts_from_the_splats_of_a_run(darb3d, mini_scene, tmp_path):
    words = ("--steps", 30, "--no-viewer", "--train-on-all")
    assert darb3d.run("train", mini_scene, *words, "--out", "a", cwd=tmp_path).returncode == 0
    for source in ("a", "a/splats.ply"):
        out = f"from {source[-3:]}"
        flags = ("--init", source, "--out", out)
        result = darb3d.run("train", mini_scene, *words, *flags, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        first = json.loads((tmp_path / out / "metrics.jsonl").read_text().splitlines()[0])
        cold = json.loads((tmp_path / "a" / "metrics.jsonl").read_text().splitlines()[0])
        assert first["psnr"] > cold["psnr"] + 1


def test_splats_of_another_kernel_are_refused(darb3d, mini_scene, tmp_path):
    words = ("--steps", 2, "--no-viewer", "--train-on-all")
    darb3d.run("train", mini_scene, *words, "--kernel", "gaussian", "--out", "g", cwd=tmp_path)
    result = darb3d.run("train", mini_scene, *words, "--init", "g", "--out", "n", cwd=tmp_path)
    assert result.returncode == 2 and "add --kernel gaussian" in result.stderr
    assert not (tmp_path / "n").exists()
