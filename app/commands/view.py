"""`darb3d view`: splats, clouds of points and motions in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from app.loading import Loaded
    from app.viewer.served_page import ServedPage
    from app.viewer.versus import Contestant
    from data.scene import Scene


@dataclass(frozen=True)
class Command:
    """Show a run, splats, a cloud of points or motions in the browser; or two runs with one camera.

    What a .ply or .glb holds is seen from the file itself.
    """

    run_or_file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|FILE")]
    """Run folder; splats (.ply, .splat, .spz, .ksplat, .glb); a cloud of points
    (.ply, .pcd, .xyz, .npz, ...); a motion (.npz, .bvh, .glb)."""
    others: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[MORE]")] = ()
    """One more run, or file of splats, of the same scene: both side by side, or with a wipe. Or
    more motions, to choose from on one page."""
    port: int | None = None
    """Port of the page; by default the next free one from 8080."""
    host: str = "127.0.0.1"
    """Address of this machine to serve the page on; 0.0.0.0 for all of them. Who can reach it needs
    the token too, which stands in the address that is printed."""
    scene: Path | None = None
    """COLMAP folder whose cameras to offer; a run folder remembers its own."""

    def run(self) -> int:
        """Serve until Ctrl-C; returns the exit code."""
        from app.loading import load
        from app.object_pages import object_page
        from app.viewer import Viewer
        from data.errors import UserError

        paths = (self.run_or_file, *self.others)
        page = object_page(paths, self.port, self.host)
        if page is not None:
            if self.scene is not None:
                page.close()
                raise UserError(f"--scene: expected with splats, found {self.run_or_file}")
            return serve(page)
        if len(paths) > 2:
            raise UserError(f"expected one run or two, found {len(paths)}")
        loaded = load(self.run_or_file)
        note = ""
        try:
            scene = loaded.scene(self.scene)
        except UserError as error:
            if self.scene is not None:
                raise
            scene, note = None, f"no cameras: {error}"  # splats can be looked at without photos
        shown, splats = self.run_or_file, loaded.splats
        other = load(self.others[0]) if self.others else None
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
        )
        try:
            if note:
                print(note)
            if other is None:
                viewer.show_finished(splats, scene, loaded.metrics)
            else:
                viewer.compare(*_contestants(loaded, other, scene), scene)
        except BaseException:
            viewer.close()
            raise
        return serve(viewer)


def serve(page: ServedPage) -> int:
    """Say where the page is and wait for Ctrl-C; returns the exit code."""
    from app.interrupts import StopRequest

    try:
        for line in filter(None, (page.note, page.hint)):
            print(line)
        with StopRequest() as stop:
            print(f"serving {page.address} until Ctrl-C", flush=True)
            stop.wait()
    finally:
        page.close()
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
