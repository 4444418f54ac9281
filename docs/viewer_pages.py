"""The pages that are pictured: of runs, of a training, of a cloud, of a motion."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from data import load_scene
from data.motion_files import read_motions

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "samples"


def opened(runs: list[Path]) -> Any:
    """The page of one run or of two, as `darb3d view` has it."""
    from app.commands.view import contestants
    from app.loading import load
    from app.viewer import Viewer

    loaded = [load(run) for run in runs]
    scene = loaded[0].scene()
    kernels = " and ".join(one.splats.kernel.name for one in loaded)
    sources = [f"runs/{run.resolve().name}" for run in runs]
    names = " and ".join(run.resolve().name for run in runs)
    splats = loaded[0].splats
    viewer = Viewer(
        names,
        kernels,
        port=0,
        source=sources[0],
        kernel=splats.kernel,
        antialiased=splats.antialiased,
    )
    if len(loaded) == 1:
        viewer.show_finished(loaded[0].splats, scene, loaded[0].metrics)
    else:
        pair = zip(contestants(loaded[0], loaded[1], scene), sources, strict=True)
        first, second = (replace(one, source=source) for one, source in pair)
        viewer.compare(first, second, scene)
    return viewer


def of_cloud() -> Any:
    """The page of a cloud: the points of a bundled scene."""
    from app.viewer.cloud_page import CloudPage

    return CloudPage(load_scene(SAMPLES / "banana").points, "banana.ply", port=0)


def of_classes() -> Any:
    """The page of a bundled mesh with the classifier of the package."""
    import pointcloud
    from app.viewer.cloud_page import CloudPage
    from data.clouds import read_cloud

    chair = SAMPLES / "shapes" / "chair.obj"
    return CloudPage(read_cloud(chair), chair.name, port=0, load=pointcloud.load)


def of_motion() -> Any:
    """The page of a bundled motion."""
    from app.viewer.motion_page import MotionPage

    return MotionPage(read_motions(SAMPLES / "motion" / "dog.npz"), "dog.npz", port=0)


class Training:
    """The page of a training of the bundled scene, as `darb3d train` opens it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        words = ["train", str(SAMPLES / "banana"), "--minutes", "2", "--out", self._folder.name]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app", *words], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        lines = iter(self._process.stdout)
        self.address = next(found[0] for line in lines if (found := re.search(r"http\S+", line)))

    def close(self) -> None:
        """End the training and forget it."""
        self._process.terminate()
        self._process.communicate()
        self._folder.cleanup()
