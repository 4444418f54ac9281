"""The real command line, and a small scene to spoil."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def darb3d(*arguments: object, cwd: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would; stdout and stderr as text."""
    return subprocess.run(command(*arguments), **how(cwd), timeout=timeout, check=False)


def command(*arguments: object) -> list[str]:
    """The command line of this checkout, whatever the current folder holds."""
    return [sys.executable, "-P", "-m", "app", *map(str, arguments)]


def how(cwd: Path) -> dict:
    """Environment of `command`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return {"cwd": cwd, "env": environment, "text": True, "capture_output": True}


def write_scene(path: Path, photos: int = 10, size: tuple[int, int] = (48, 32)) -> Path:
    """A COLMAP folder (text model): cameras on an arc around a cloud of coloured points."""
    import PIL.Image

    width, height = size
    rng = np.random.default_rng(0)
    sparse, images = path / "sparse" / "0", path / "images"
    sparse.mkdir(parents=True)
    images.mkdir()
    camera = f"1 PINHOLE {width} {height} 50 50 {width / 2} {height / 2}\n"
    (sparse / "cameras.txt").write_text(camera)
    lines = []
    for index, angle in enumerate(np.linspace(-0.3, 0.3, photos)):
        half = 0.5 * angle
        lines += [f"{index + 1} {np.cos(half)} 0 {np.sin(half)} 0 0 0 4 1 {index:03d}.png", ""]
        shade = np.linspace(40, 200, width, dtype=np.uint8)
        picture = np.broadcast_to(shade[None, :, None], (height, width, 3)).copy()
        picture[8:20, 10:30] = (200, 60, 60)
        PIL.Image.fromarray(picture).save(images / f"{index:03d}.png")
    (sparse / "images.txt").write_text("\n".join(lines) + "\n")
    points = [
        f"{n + 1} {x} {y} {z} {r} {g} {b} 0.5"
        for n, ((x, y, z), (r, g, b)) in enumerate(
            zip(rng.normal(size=(200, 3)), rng.integers(0, 256, (200, 3)), strict=True)
        )
    ]
    (sparse / "points3D.txt").write_text("\n".join(points) + "\n")
    return path


@pytest.fixture
def mini_scene(tmp_path) -> Path:
    """A good scene of ten small photos, to be spoilt."""
    return write_scene(tmp_path / "mini")


@pytest.fixture(scope="session")
def banana() -> Path:
    """The bundled real scene."""
    path = ROOT / "data" / "samples" / "banana"
    if not path.is_dir():
        pytest.skip("data/samples/banana is not in this checkout")
    return path
