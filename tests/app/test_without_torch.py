"""`view` and `render` start without torch, which takes longer to import than they to draw."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from benchmarks.page_client import PageClient

WATCHED = """
import atexit, sys
HEAVY = {"torch", "open3d", "pycolmap", "gsplat"}
atexit.register(lambda: print("loaded:", *sorted(HEAVY & set(sys.modules))))
from app.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def run(darb3d, write_scene, tmp_path_factory):
    """A short training of a small scene."""
    folder = tmp_path_factory.mktemp("no-torch")
    words = (write_scene(folder / "mini"), "--steps", 20, "--no-viewer", "--out", "run")
    result = darb3d.run("train", *words, cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder / "run"


def watched(darb3d, folder, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", WATCHED, *map(str, words)],
        cwd=folder,
        env=darb3d.environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("name", [".", "splats.ply"])
def test_looking_loads_no_torch(darb3d, run, name):
    process = watched(darb3d, run.parent, "view", run / name)
    assert process.stdout is not None
    try:
        printed = next(filter(None, (re.search(r"http://\S+", line) for line in process.stdout)))
        with PageClient(printed[0]) as page:
            assert page.picture(200)
    finally:
        process.terminate()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "loaded:\n" in out, out + err


def test_drawing_loads_no_torch(darb3d, run):
    words = ("render", run, "-o", "out", "--frames", 2, "--width", 48)
    out, err = watched(darb3d, run.parent, *words).communicate(timeout=200)
    assert "wrote out: 2 frames" in out and "loaded:\n" in out, out + err
