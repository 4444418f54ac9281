"""`darb3d view`: finished splats in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from data.errors import UserError

if TYPE_CHECKING:
    from app.viewer import Viewer
    from splatting.splats import Splats


@dataclass(frozen=True)
class Command:
    """Show a run, or a .ply of splats, in the browser."""

    run_or_ply: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|FILE.ply")]
    """Run folder, or a .ply, .splat, .spz, .ksplat, .glb."""
    port: int | None = None
    """Port of the page; by default the next free one from 8080."""
    scene: Path | None = None
    """COLMAP folder whose cameras to offer; a run folder remembers its own."""

    save: Annotated[Path | None, tyro.conf.arg(metavar="PAGE.html")] = None
    """Write one file that shows the splats in any browser without a server, and serve nothing."""

    def run(self) -> int:
        """Serve until Ctrl-C, or write the page; returns the exit code."""
        from app.interrupts import StopRequest
        from app.loading import load
        from app.viewer import Viewer

        if self.save is not None:
            _check(self.save)
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
            port=self.port if self.save is None else 0,
            source=str(shown),
            kernel=splats.kernel,
            antialiased=splats.antialiased,
        )
        try:
            if note:
                print(note)
            viewer.show_finished(splats, scene, loaded.metrics)
            if viewer.note:
                print(viewer.note)
            if self.save is not None:
                _save(viewer, splats, self.save)
                return 0
            if viewer.hint:
                print(viewer.hint)
            with StopRequest() as stop:
                print(f"serving {viewer.address} until Ctrl-C", flush=True)
                stop.wait()
        finally:
            viewer.close()
        return 0


def _check(path: Path) -> None:
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise UserError(f"--save: expected the name of a file that ends in .html, found {path}")


def _save(viewer: Viewer, splats: Splats, path: Path) -> None:
    from app.runs import replacing

    try:
        with replacing(path) as draft:
            draft.write_text(viewer.shared_page(splats), encoding="utf-8")
        size_mb = path.stat().st_size / 1e6
    except OSError as error:
        raise UserError(
            f"--save: expected a place to write {path}, found: {error.strerror or error}"
        ) from None
    print(
        f"wrote {path}: {len(splats):,} splats, {splats.kernel.name}, {size_mb:.1f} MB; "
        "it opens in any browser, without a server"
    )
