"""`darb3d export`: a run or a .ply as a file that other programs open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from data.errors import UserError
from splatting.selection import Selection

if TYPE_CHECKING:
    import numpy as np

    from app.loading import Loaded
    from splatting.splats import Splats

WRITERS = (".compressed.ply", ".ply", ".splat", ".spz", ".glb", "cameras.json")
"""Endings of file names, the longest first."""


@dataclass(frozen=True)
class Command:
    """Write splats for other programs: .ply (3DGS), .compressed.ply (PlayCanvas), .splat, .spz,
    .glb; or cameras.json, the cameras as 3DGS writes them.

    Coordinates stay those of the COLMAP model unless --scale is given. Other programs draw every
    splat as a Gaussian of the same sigma: --bake-gaussian fits Gaussians first.
    """

    run_or_ply: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|FILE.ply")]
    """Run folder, or a .ply, .splat, .spz, .ksplat, .glb."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """File to write; its ending names the format."""
    bake_gaussian: bool = False
    """Replace each splat by the Gaussian that looks most like it."""
    selection: tyro.conf.OmitArgPrefixes[Selection] = field(default_factory=Selection)
    scale: float = 1.0
    """Multiply all distances by this, after cropping: real-world units, say."""
    scene: Path | None = None
    """COLMAP folder that gives the cameras; a run folder remembers its own."""

    def run(self) -> int:
        """Write the file and say what it holds; returns the exit code."""
        from rich.console import Console

        from app.floater_scores import floater_scores
        from app.loading import load

        write = writer(self.out)
        self.check()
        loaded = load(self.run_or_ply)
        if self.out.name.lower() == "cameras.json":
            return self._write_cameras(loaded)
        console = Console(highlight=False, markup=False, soft_wrap=True)
        scores = None
        if self.selection.drop_floaters:
            scores = floater_scores(loaded, self.scene, console)
        splats = edited(loaded.splats, self, scores)
        write(self.out, splats)
        megabytes = self.out.stat().st_size / 1e6
        console.print(
            f"wrote {self.out}: {len(splats):,} of {len(loaded.splats):,} splats,"
            f" {splats.kernel.name}, {megabytes:.1f} MB"
        )
        if self.bake_gaussian and (note := cost_of_baking(loaded)):
            console.print(note)
        if any(splats.origin_world):
            console.print(self._way_back(splats.origin_world))
        if splats.kernel.name != "gaussian":
            console.print(
                "other programs will draw Gaussians in their place; --bake-gaussian makes them fit"
            )
        return 0

    def check(self) -> None:
        """UserError for numbers that cannot be."""
        self.selection.check()
        if not 0.0 < self.scale < float("inf"):
            raise UserError(f"--scale: expected a factor above 0, found {self.scale}")

    def _write_cameras(self, loaded: Loaded) -> int:
        from app.camera_list import write_camera_list

        scene = loaded.scene(self.scene)
        if scene is None:
            raise UserError(
                f"{self.run_or_ply}: expected a run folder, which knows its cameras, found none; "
                "add --scene SCENE"
            )
        # the zero that the exported splats have, so that both files fit each other
        origin = loaded.splats.origin_world
        write_camera_list(self.out, scene, self.scale, origin)
        print(f"wrote {self.out}: {len(scene.views)} cameras")
        if any(origin):
            print(self._way_back([self.scale * float(number) for number in origin]))
        return 0

    def _way_back(self, origin_world: Sequence[float]) -> str:
        x, y, z = origin_world
        times = f" times {self.scale:g}" if self.scale != 1.0 else ""
        return f"add {x} {y} {z} to its coordinates to get those of the COLMAP model{times}"


def edited(splats: Splats, command: Command, floater_scores: np.ndarray | None) -> Splats:
    """What `command` writes of `splats`: some of them, scaled, as Gaussians."""
    from splatting.bake import bake_gaussian
    from splatting.selection import kept
    from splatting.splats import scaled

    chosen = splats.take(kept(splats, command.selection, floater_scores))
    if not len(chosen):
        raise UserError(
            f"{command.run_or_ply}: expected splats inside the crop, found none of"
            f" {len(splats):,}; widen --crop-min and --crop-max, lower --min-opacity or"
            " --drop-floaters, or raise --max-size"
        )
    if command.scale != 1.0:
        chosen = scaled(chosen, command.scale)
    return bake_gaussian(chosen) if command.bake_gaussian else chosen


def cost_of_baking(loaded: Loaded) -> str:
    """What the whole run scores as Gaussians, on at most eight held-out photos (or training photos
    where none is held out); nothing where the photos are not at hand."""
    from splatting.bake import bake_gaussian
    from splatting.evaluation import evaluate

    if loaded.splats.kernel.name == "gaussian":
        return ""
    try:
        scene = loaded.scene()
    except UserError:
        return ""
    if scene is None:
        return ""
    views = scene.test or scene.train
    views = views[:: -(-len(views) // 8)]
    before, after = (
        evaluate(splats, views, perceptual=False)["psnr"]
        for splats in (loaded.splats, bake_gaussian(loaded.splats))
    )
    kind = "held-out" if scene.test else "training"
    return (
        f"as Gaussians: {after:.2f} dB on {len(views)} {kind} photos, {loaded.splats.kernel.name}"
        f" {before:.2f} dB: {before - after:.2f} dB lost"
    )


def writer(out: Path) -> Callable[[Path, Splats], None]:
    """The function that writes what the ending of `out` names."""
    from splatting.export import save_ply
    from splatting.export_glb import save_glb
    from splatting.foreign import save_foreign

    ending = next((e for e in WRITERS if out.name.lower().endswith(e)), None)
    if ending is None:
        raise UserError(
            f"{out}: expected a name that ends in {', '.join(WRITERS)}, found"
            f" {out.suffix or 'none'}"
        )
    if not out.parent.is_dir():
        raise UserError(f"{out}: expected its folder to exist, found none; make it first")
    if ending == ".ply":
        return save_ply
    if ending == ".glb":
        return save_glb
    if ending == ".spz":
        return save_foreign
    return lambda path, splats: _by_gsplat(path, splats, ending)


def _by_gsplat(path: Path, splats: Splats, ending: str) -> None:
    """The formats that gsplat writes; like ours, the file appears whole or not at all."""
    try:
        import torch
        from gsplat import export_splats
    except ImportError as error:
        raise UserError(
            f"{path}: expected the package gsplat, which writes {ending}, found: {error};"
            " pip install gsplat, or write .ply"
        ) from None
    from app.runs import replacing

    def tensor(array: Any) -> Any:
        return torch.from_numpy(array.copy())

    content = export_splats(
        means=tensor(splats.means),
        scales=tensor(splats.log_scales),
        quats=tensor(splats.quats),
        opacities=tensor(splats.logit_opacities),
        sh0=tensor(splats.sh0[:, None]),
        shN=tensor(splats.shN),
        format="splat" if ending == ".splat" else "ply_compressed",
    )
    with replacing(path) as temporary:
        temporary.write_bytes(content)
