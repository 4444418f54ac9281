"""Fixtures for every folder of tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
