"""`darb3d render`: pictures or a film of a run, along a path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from data.errors import UserError

if TYPE_CHECKING:
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
    what: Literal["rgb", "depth", "alpha"] = "rgb"
    """Colours, depth (near is bright), or opacity."""
    width: int | None = None
    """Width in pixels; that of the cameras by default."""
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Colour behind everything, 0 to 1."""
    scene: Path | None = None
    """COLMAP folder that gives the cameras; a run folder remembers its own."""

    def run(self) -> int:
        """Draw; returns the exit code."""
        import numpy as np
        from rich.console import Console
        from rich.progress import Progress

        from app.film import depth_colours, depth_range, film
        from app.loading import load
        from splatting.rasterization import RenderOutput, render
        from splatting.splats import with_origin

        if not (self.frames > 0 and self.fps > 0):
            raise UserError(f"--frames, --fps: expected above 0, found {self.frames, self.fps}")
        if self.width is not None and not 16 <= self.width <= 16_384:
            raise UserError(f"--width: expected 16 to 16384, found {self.width}")
        if not all(0.0 <= value <= 1.0 for value in self.background):
            raise UserError(f"--background: expected three of 0 to 1, found {self.background}")
        loaded = load(self.run_or_file)
        scene = loaded.scene(self.scene)
        splats = loaded.splats
        if scene is not None:
            splats = with_origin(splats, scene.origin_world)
        cameras = [self._resized(camera) for camera in self._cameras(scene, splats)]

        def depth_of(drawn: RenderOutput) -> np.ndarray:
            solid = drawn.alpha > 0.5
            return np.where(solid, drawn.depth / np.maximum(drawn.alpha, 1e-6), 0.0)

        near, far = 1.0, 2.0
        if self.what == "depth":
            looked_at = cameras[:: -(-len(cameras) // 12)]
            near, far = depth_range(depth_of(render(splats, camera)) for camera in looked_at)
        console = Console(highlight=False, markup=False, soft_wrap=True)
        with (
            film(self.out, self.fps) as add,
            Progress(console=console, disable=not console.is_terminal) as bar,
        ):
            for camera in bar.track(cameras, description="drawing"):
                drawn = render(splats, camera, self.background)
                if self.what == "depth":
                    picture = depth_colours(depth_of(drawn), near, far)
                else:
                    alpha = np.repeat(drawn.alpha[..., None], 3, axis=2)
                    shown = drawn.rgb if self.what == "rgb" else alpha
                    picture = np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)
                add(picture)
        size = f"{cameras[0].width}x{cameras[0].height}"
        console.print(f"wrote {self.out}: {len(cameras)} frames of {size}")
        return 0

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
