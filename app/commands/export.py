"""`darb3d export`: a run or a .ply as a file that other programs open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from data.errors import UserError

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

    Coordinates stay those of the COLMAP model. Other programs draw every splat as a Gaussian of the
    same sigma: --bake-gaussian fits Gaussians first.
    """

    run_or_ply: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|FILE.ply")]
    """Run folder, or a .ply, .splat, .spz, .ksplat, .glb."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """File to write; its ending names the format."""
    bake_gaussian: bool = False
    """Replace each splat by the Gaussian that looks most like it."""
    crop_min: tuple[float, float, float] | None = None
    """Corner of a box, in the coordinates of the model: nothing below it is written."""
    crop_max: tuple[float, float, float] | None = None
    """Opposite corner: nothing above it is written."""
    min_opacity: float = 0.0
    """Leave out splats fainter than this."""

    def run(self) -> int:
        """Write the file and say what it holds; returns the exit code."""
        from rich.console import Console

        from app.loading import load
        from splatting.bake import bake_gaussian

        write = writer(self.out)
        if not 0.0 <= self.min_opacity < 1.0:
            raise UserError(f"--min-opacity: expected 0 to 1, found {self.min_opacity}")
        loaded = load(self.run_or_ply)
        if self.out.name.lower() == "cameras.json":
            return self._write_cameras(loaded)
        splats = loaded.splats.take(kept(loaded.splats, self))
        if not len(splats):
            raise UserError(
                f"{self.run_or_ply}: expected splats inside the crop, found none of"
                f" {len(loaded.splats):,}; widen --crop-min and --crop-max or lower --min-opacity"
            )
        note = ""
        if self.bake_gaussian:
            splats = bake_gaussian(splats)
            note = cost_of_baking(loaded)
        write(self.out, splats)
        console = Console(highlight=False, markup=False, soft_wrap=True)
        megabytes = self.out.stat().st_size / 1e6
        console.print(
            f"wrote {self.out}: {len(splats):,} of {len(loaded.splats):,} splats,"
            f" {splats.kernel.name}, {megabytes:.1f} MB"
        )
        if note:
            console.print(note)
        if any(splats.origin_world):
            x, y, z = splats.origin_world
            console.print(f"add {x} {y} {z} to its coordinates to get those of the COLMAP model")
        if splats.kernel.name != "gaussian":
            console.print(
                "other programs will draw Gaussians in their place; --bake-gaussian makes them fit"
            )
        return 0

    def _write_cameras(self, loaded: Loaded) -> int:
        from app.camera_list import write_camera_list

        scene = loaded.scene()
        if scene is None:
            raise UserError(
                f"{self.run_or_ply}: expected a run folder, which knows its cameras, found none"
            )
        write_camera_list(self.out, scene)
        print(f"wrote {self.out}: {len(scene.views)} cameras")
        return 0


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
        f" {before:.2f} dB"
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


def kept(splats: Splats, command: Command) -> np.ndarray:
    """Which splats lie in the crop box and are opaque enough."""
    import numpy as np

    keep = 1.0 / (1.0 + np.exp(-splats.logit_opacities)) >= command.min_opacity
    if command.crop_min is not None:
        keep &= (splats.means >= np.array(command.crop_min)).all(axis=1)
    if command.crop_max is not None:
        keep &= (splats.means <= np.array(command.crop_max)).all(axis=1)
    return keep


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
