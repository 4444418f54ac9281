"""`darb3d render`: pictures or a film of a run, along a path."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from data.errors import UserError
from splatting.selection import Selection

if TYPE_CHECKING:
    import numpy as np
    from rich.progress import Progress

    from app.frames import Draw
    from data.camera import Camera
    from data.scene import Scene
    from splatting.splats import Splats


@dataclass(frozen=True)
class Command:
    """Draw a run, or a file of splats, along a camera path: an .mp4, or a folder of pictures."""

    run_or_file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|FILE")]
    """Run folder, or a .ply, .splat, .spz, .ksplat, .glb."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """film.mp4, or a folder for pictures."""
    path: str = "around"
    """around (an ellipse), through (all cameras in order), test (the held-out cameras), or a
    camera-path .json of nerfstudio."""
    frames: int = 240
    """Length of the paths around and through."""
    fps: float = 30.0
    """Frames in a second of film."""
    what: Literal["rgb", "depth", "alpha", "count", "contribution", "ellipsoids"] = "rgb"
    """Colours, depth (near is bright), opacity, splats that touch a pixel, what each splat paints
    in the photos, or splats as solid ellipsoids."""
    level: float = 0.15
    """Alpha at the surface of the ellipsoids."""
    width: int | None = None
    """Width in pixels; that of the cameras by default."""
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Colour behind everything, 0 to 1."""
    selection: tyro.conf.OmitArgPrefixes[Selection] = field(default_factory=Selection)
    scene: Path | None = None
    """COLMAP folder that gives the cameras; a run folder remembers its own."""

    def run(self) -> int:
        """Draw; returns the exit code."""
        from rich.console import Console
        from rich.progress import Progress

        from app.film import film
        from app.floater_scores import floater_scores
        from app.loading import load
        from splatting.selection import kept
        from splatting.splats import with_origin

        if not (self.frames > 0 and self.fps > 0):
            raise UserError(f"--frames, --fps: expected above 0, found {self.frames, self.fps}")
        if self.width is not None and not 16 <= self.width <= 16_384:
            raise UserError(f"--width: expected 16 to 16384, found {self.width}")
        if not all(0.0 <= value <= 1.0 for value in self.background):
            raise UserError(f"--background: expected three of 0 to 1, found {self.background}")
        if not 0.01 <= self.level <= 0.95:
            raise UserError(f"--level: expected 0.01 to 0.95, found {self.level}")
        self.selection.check()
        console = Console(highlight=False, markup=False, soft_wrap=True)
        loaded = load(self.run_or_file)
        # a path of its own needs no photos, which may be gone by now
        alone = self.path.endswith(".json") and self.what != "contribution"
        scene = None if alone and self.scene is None else loaded.scene(self.scene)
        scores = None
        if self.selection.drop_floaters:
            scores = floater_scores(loaded, self.scene, console)
        splats = loaded.splats
        chosen = kept(splats, self.selection, scores)
        if scene is not None:
            splats = with_origin(splats, scene.origin_world)
        cameras = [self._resized(camera) for camera in self._cameras(scene, splats)]
        with Progress(console=console, disable=not console.is_terminal) as bar:
            draw = self._drawer(splats, chosen, scene, cameras, bar)
            with film(self.out, self.fps) as add:
                for camera in bar.track(cameras, description="drawing"):
                    add(draw(camera))
        size = f"{cameras[0].width}x{cameras[0].height}"
        console.print(f"wrote {self.out}: {len(cameras)} frames of {size}")
        return 0

    def _drawer(
        self,
        splats: Splats,
        chosen: np.ndarray,
        scene: Scene | None,
        cameras: list[Camera],
        bar: Progress,
    ) -> Draw:
        from app.frames import Look, drawer

        look = Look(self.what, self.level, self.background)
        if self.what != "contribution":
            return drawer(splats, chosen, look, cameras)
        if scene is None:
            raise UserError(
                f"{self.run_or_file}: expected to know the scene's cameras, found no "
                "config.json that names it; add --scene SCENE"
            )
        measured = [view.camera for view in scene.train]
        task = bar.add_task("measuring", total=len(measured))

        def report(done: int) -> None:
            bar.update(task, completed=done)

        return drawer(splats, chosen, look, cameras, measured, report)

    def _cameras(self, scene: Scene | None, splats: Splats) -> list[Camera]:
        from splatting import camera_paths

        if self.path.endswith(".json"):
            return camera_paths.from_json(Path(self.path), origin_world=splats.origin_world)
        if self.path not in ("around", "through", "test"):
            raise UserError(f"--path: expected around, through, test or a .json, found {self.path}")
        if scene is None:
            raise UserError(
                f"{self.run_or_file}: expected to know the scene's cameras, found no config.json "
                "that names it; add --scene SCENE"
            )
        if self.path == "test":
            if not scene.test:
                raise UserError(
                    f"--path test: expected held-out photos, found none in {scene.path}"
                )
            return [view.camera for view in scene.test]
        path = camera_paths.around if self.path == "around" else camera_paths.through
        return path([view.camera for view in scene.views], self.frames)

    def _resized(self, camera: Camera) -> Camera:
        if self.width is None:
            return camera
        height = max(1, round(camera.height * self.width / camera.width))
        return camera.resized(self.width, height)
