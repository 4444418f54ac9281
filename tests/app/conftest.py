"""The real command line, and a small scene to spoil."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import chromium, opened, until

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Pages are drawn in software by both cores: beside other tests they would be late."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.alone)


class RealCommand:
    """`darb3d` of this checkout as a user would run it, whatever the current folder holds."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []
        self.words = [sys.executable, "-P", "-m", "app"]
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "100",
        }

    def run(
        self, *arguments: object, cwd: Path, timeout_s: float = 280
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; stdout and stderr as text."""
        process = self.start(*arguments, cwd=cwd)
        out, err = process.communicate(timeout=timeout_s)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, *arguments: object, cwd: Path) -> subprocess.Popen[str]:
        """Start and leave running; killed after the test if need be."""
        self._started.append(
            subprocess.Popen(
                [*self.words, *map(str, arguments)],
                cwd=cwd,
                env=self.environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
        return self._started[-1]

    def end(self) -> None:
        """Kill what still runs."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; skipped without it. Not of the whole session: while playwright is open, nothing
    else can run an event loop in its thread."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def splats() -> Any:
    """Those of the known scene, where a module has no others."""
    from known_scene import known_splats

    return known_splats()


@pytest.fixture(scope="module")
def viewer(splats: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page of the known scene, where a module has no other."""
    from known_scene import known_viewer

    shown = known_viewer(splats, tmp_path_factory.mktemp("a run") / "known.ply")
    yield shown
    shown.close()


@pytest.fixture(scope="module")
def page(browser: Any, viewer: Any) -> Iterator[Any]:
    """A tab with the page of the known scene, where a module has no other."""
    with opened(browser, viewer.address, 1100, 700) as shown:
        assert until(viewer.clients)
        yield shown


@pytest.fixture(scope="module")
def darb3d() -> Iterator[RealCommand]:
    """The real command line."""
    command = RealCommand()
    yield command
    command.end()


def _write_scene(path: Path, photos: int = 10, size: tuple[int, int] = (48, 32)) -> Path:
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


@pytest.fixture(scope="session")
def write_scene() -> Callable[..., Path]:
    """`write_scene(path, photos=10)` writes a small COLMAP folder."""
    return _write_scene


@pytest.fixture
def mini_scene(tmp_path) -> Path:
    """A good scene of ten small photos, to be spoilt."""
    return _write_scene(tmp_path / "mini")
