"""`darb3d view`: splats, clouds of points and motions in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from data.errors import UserError

if TYPE_CHECKING:
    from app.loading import Loaded
    from app.viewer import Viewer
    from app.viewer.served_page import ServedPage
    from app.viewer.versus import Contestant
    from data.scene import Scene
    from splatting.splats import Splats


@dataclass(frozen=True)
class Command:
    """Show a run, splats, a cloud of points or motions in the browser; or two runs with one camera.

    What a .ply or .glb holds is seen from the file itself. 2D keypoints are lifted first.
    """

    run_or_file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|FILE")]
    """Run folder; splats (.ply, .splat, .spz, .ksplat, .glb); a cloud of points
    (.ply, .pcd, .xyz, .npz, ...); a motion (.npz, .bvh, .glb); 2D keypoints
    (.h5, .csv, .slp, .json, ...)."""
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
    classifier: Annotated[str | None, tyro.conf.arg(metavar="NAME|FILE")] = None
    """What says what a cloud is: a model of the package (3dgpe by default), a file of darb3d fit
    classifier, or none."""
    lifter: Annotated[str | None, tyro.conf.arg(metavar="NAME|FILE")] = None
    """What lifts 2D keypoints: weights of the package (permissive by default, share-alike), or a
    file of darb3d fit lifter."""
    edges: str | None = None
    """Skeleton of 2D keypoints, where their file has none: "nose-neck, neck-tail", or a file of
    pairs, as in darb3d lift. Inferred from rigidity otherwise."""
    save: Annotated[Path | None, tyro.conf.arg(metavar="PAGE.html")] = None
    """Write one file that shows the splats in any browser without a server, and serve nothing."""

    def run(self) -> int:
        """Serve until Ctrl-C, or write the page; returns the exit code."""
        from app.object_pages import object_page

        paths = (self.run_or_file, *self.others)
        if self.save is not None:
            _check(self.save, paths)
        page = object_page(paths, self.port, self.host, self.classifier, self.lifter, self.edges)
        if page is None:
            return self._show_splats(paths)
        for name in ("scene", "save"):
            if getattr(self, name) is not None:
                page.close()
                raise UserError(f"--{name}: expected with splats, found {self.run_or_file}")
        return serve(page)

    def _show_splats(self, paths: tuple[Path, ...]) -> int:
        from concurrent.futures import ThreadPoolExecutor

        from app.loading import load

        if len(paths) > 2:
            raise UserError(f"expected one run or two, found {len(paths)}")
        with ThreadPoolExecutor(1) as reader:
            reading = reader.submit(load, self.run_or_file)
            # what the page needs is imported while the file is read, which leaves a core free
            from app.viewer import Viewer
            from app.viewer.address import LOOPBACK
            from splatting.splats import with_origin
            from splatting.warm_up import open_loops

            open_loops()
            loaded = reading.result()
        note = ""
        try:
            scene = loaded.scene(self.scene)
        except UserError as error:
            if self.scene is not None:
                raise
            scene, note = None, f"no cameras: {error}"  # splats can be looked at without photos
        shown, splats = self.run_or_file, loaded.splats
        if scene is not None:
            splats = with_origin(splats, scene.origin_world)
        other = load(self.others[0]) if self.others else None
        title, kernel = _name(shown), splats.kernel.name
        if other is not None:
            title = f"{title} and {_name(other.path)}"
            kernel = f"{kernel} and {other.splats.kernel.name}"
        viewer = Viewer(
            title,
            kernel,
            self.port if self.save is None else 0,
            self.host if self.save is None else LOOPBACK,
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
                viewer.compare(*contestants(loaded, other, scene), scene)
            if self.save is not None:
                if viewer.note:
                    print(viewer.note)
                _save(viewer, splats, self.save)
                viewer.close()
                return 0
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


def _check(path: Path, shown: tuple[Path, ...]) -> None:
    if len(shown) > 1:
        raise UserError(f"--save: expected one run to put into {path}, found a second, {shown[1]}")
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


def contestants(
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
