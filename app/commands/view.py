"""`darb3d view`: finished splats in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Command:
    """Show a run, or a .ply of splats, in the browser."""

    run_or_ply: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|FILE.ply")]
    """Run folder, or a .ply, .splat, .spz, .ksplat, .glb."""
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

        loaded = load(self.run_or_ply)
        note = ""
        try:
            scene = loaded.scene(self.scene)
        except UserError as error:
            if self.scene is not None:
                raise
            scene, note = None, f"no cameras: {error}"  # splats can be looked at without photos
        splats, shown = loaded.splats, self.run_or_ply
        viewer = Viewer(
            shown.resolve().stem,
            splats.kernel.name,
            self.port,
            self.host,
            source=str(shown),
            kernel=splats.kernel,
            antialiased=splats.antialiased,
        )
        try:
            if note:
                print(note)
            viewer.show_finished(splats, scene, loaded.metrics)
            for line in filter(None, (viewer.note, viewer.hint)):
                print(line)
            with StopRequest() as stop:
                print(f"serving {viewer.address} until Ctrl-C", flush=True)
                stop.wait()
        finally:
            viewer.close()
        return 0
