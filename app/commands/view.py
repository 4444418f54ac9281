"""`darb3d view`: finished splats in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from app.loading import Loaded
    from app.viewer.versus import Contestant
    from data.scene import Scene


@dataclass(frozen=True)
class Command:
    """Show a run, or a .ply of splats, in the browser; or two of them with one camera."""

    run_or_ply: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|FILE.ply")]
    """Run folder, or a .ply, .splat, .spz, .ksplat, .glb."""
    other: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[RUN_B]")] = None
    """Another run, or file, of the same scene: both are shown side by side, or with a wipe."""
    port: int | None = None
    """Port of the page; by default the next free one from 8080."""
    host: str = "127.0.0.1"
    """Address of this machine to serve the page on; 0.0.0.0 for all of them. Who can reach it needs
    the token too, which stands in the address that is printed."""
    scene: Path | None = None
    """COLMAP folder whose cameras to offer; a run folder remembers its own."""

    def run(self) -> int:
        """Serve until Ctrl-C; returns the exit code."""
        from app.interrupts import StopRequest
        from app.loading import load
        from app.viewer import Viewer
        from data.errors import UserError
        from splatting.splats import with_origin

        loaded = load(self.run_or_ply)
        note = ""
        try:
            scene = loaded.scene(self.scene)
        except UserError as error:
            if self.scene is not None:
                raise
            scene, note = None, f"no cameras: {error}"  # splats can be looked at without photos
        shown, splats = self.run_or_ply, loaded.splats
        if scene is not None:
            splats = with_origin(splats, scene.origin_world)
        other = load(self.other) if self.other is not None else None
        title, kernel = _name(shown), splats.kernel.name
        if other is not None:
            title = f"{title} and {_name(other.path)}"
            kernel = f"{kernel} and {other.splats.kernel.name}"
        viewer = Viewer(
            title,
            kernel,
            self.port,
            self.host,
            source=str(shown),
            kernel=splats.kernel,
            antialiased=splats.antialiased,
            scene_option="" if self.scene is None else str(self.scene),
        )
        try:
            if note:
                print(note)
            if other is None:
                viewer.show_finished(splats, scene, loaded.metrics)
            else:
                viewer.compare(*_contestants(loaded, other, scene), scene)
            for line in filter(None, (viewer.note, viewer.hint)):
                print(line)
            with StopRequest() as stop:
                print(f"serving {viewer.address} until Ctrl-C", flush=True)
                stop.wait()
        finally:
            viewer.close()
        return 0


def _contestants(
    first: Loaded, second: Loaded, scene: Scene | None
) -> tuple[Contestant, Contestant]:
    """Both in the coordinates of `scene`, or in those of the first; two of one name by their
    paths."""
    from app.viewer.versus import Contestant
    from splatting.splats import with_origin

    origin = first.splats.origin_world if scene is None else scene.origin_world
    same = _name(first.path) == _name(second.path)

    def contestant(loaded: Loaded) -> Contestant:
        name = str(loaded.path) if same else _name(loaded.path)
        psnr, on = loaded.psnr() or (None, "")
        return Contestant(name, str(loaded.path), with_origin(loaded.splats, origin), psnr, on)

    return contestant(first), contestant(second)


def _name(path: Path) -> str:
    return path.resolve().stem
