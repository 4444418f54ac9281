"""Fixtures for every folder of tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

# tests share their machine: threads of torch that wait by spinning make each other's steps thirty
# times as slow there (OpenMP reads this when torch first loads it)
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_scenes() -> Path:
    """The folder of real COLMAP scenes beside the repository, or named by DARB3D_SHARED.

    Absent on most machines: the bundled samples carry the main path, and the test is skipped.
    """
    shared = Path(os.environ.get("DARB3D_SHARED") or ROOT.parent / "shared")
    scenes = shared / "data" / "scenes"
    if not scenes.is_dir():
        pytest.skip(f"no shared scenes: {scenes} does not exist (set DARB3D_SHARED)")
    return scenes


@pytest.fixture(scope="session")
def banana() -> Path:
    """The bundled real scene."""
    return ROOT / "data" / "samples" / "banana"


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which node finds Khronos' validator and three.js, which npm brings."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm: the validator of .glb and three.js come with it")
    folder = tmp_path_factory.mktemp("node")
    packages = ["gltf-validator@2.0.0-dev.3.10", "three@0.180.0"]
    words = [npm, "install", "--no-audit", "--no-fund", *packages]
    got = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120)
    if got.returncode:
        pytest.skip(f"npm did not bring them: {got.stderr.splitlines()[-1:]}")
    for script in ("validate_glb.js", "joints_of_glb.mjs"):
        shutil.copy(ROOT / "tests" / script, folder)
    return folder


@pytest.fixture(scope="session")
def in_node(node_folder: Path) -> Callable[..., str]:
    """`in_node(script, *arguments)`: what one of the scripts prints."""

    def run(script: str, *arguments: object) -> str:
        words = ["node", script, *map(str, arguments)]
        got = subprocess.run(words, cwd=node_folder, capture_output=True, text=True, timeout=60)
        assert got.returncode == 0, got.stderr
        return got.stdout

    return run


@pytest.fixture(scope="session")
def glb_errors(in_node: Callable[..., str]) -> Callable[[Path], list[str]]:
    """`glb_errors(path)`: the validator's errors, each a code and a place."""
    return lambda path: in_node("validate_glb.js", path).splitlines()
