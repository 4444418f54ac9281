"""Scores of floaters for a command, by the cameras of its run where they are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

    from app.loading import Loaded


def floater_scores(loaded: Loaded, scene_path: Path | None, console: Console) -> np.ndarray:
    """As `splatting.floaters` gives them, with a bar; a line says where there are no cameras."""
    from rich.progress import Progress

    from splatting import floaters
    from splatting.splats import with_origin

    splats, cameras = loaded.splats, []
    try:
        scene = loaded.scene(scene_path)
    except UserError as error:
        if scene_path is not None:
            raise
        scene = None
        console.print(f"no cameras: {error}")
    if scene is None:
        console.print("floaters are told by their neighbours alone, without cameras")
    else:
        cameras = [view.camera for view in scene.train]
        splats = with_origin(splats, scene.origin_world)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("looking for floaters", total=len(floaters.thinned(cameras)) or 1)
        return floaters.floater_scores(splats, cameras, lambda: bar.advance(task))
