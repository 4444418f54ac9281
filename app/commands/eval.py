"""`darb3d eval`: the score of splats on a scene's held-out photos."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from data.errors import UserError

if TYPE_CHECKING:
    from data.scene import Scene
    from splatting.splats import Splats

FIELDS = (
    "psnr", "ssim", "lpips", "splats", "steps", "seconds", "kernel", "images", "split",
    "conventions",
)  # fmt: skip


@dataclass(frozen=True)
class Command:
    """Score a run, or a .ply of splats, on the held-out photos of a scene."""

    run_or_ply: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR|FILE.ply")]
    """Run folder, or a .ply, .splat, .spz, .ksplat, .glb."""
    scene: Path | None = None
    """COLMAP folder; a run folder remembers its own."""
    data_factor: int | None = None
    """Shrink the photos by this factor; a run folder remembers its own, otherwise 1."""
    device: Literal["cpu", "cuda"] = "cpu"
    """cuda draws with gsplat, which knows only the Gaussian."""
    sheet: Path | None = None
    """Write a contact sheet here (.jpg or .png): photo, render and error of each held-out photo."""
    json: bool = False
    """Print the fields of eval.json instead of a table."""

    def run(self) -> int:
        """Print the score; returns the exit code."""
        from app.loading import load
        from splatting.evaluation import evaluate
        from splatting.splats import with_origin

        if self.data_factor is not None and self.data_factor < 1:
            raise UserError(f"--data-factor: expected 1 or more, found {self.data_factor}")
        if self.sheet and self.sheet.suffix.lower() not in (".jpg", ".jpeg", ".png"):
            raise UserError(f"--sheet {self.sheet}: expected a name that ends in .jpg or .png")
        loaded = load(self.run_or_ply)
        if loaded.config and loaded.config.train_on_all and self.scene is None:
            raise UserError(
                f"{self.run_or_ply}: expected a run that held photos out, found one trained with "
                "--train-on-all; name photos it has not seen with --scene SCENE"
            )
        scene = loaded.scene(self.scene, self.data_factor)
        if scene is None:
            raise UserError(
                f"{self.run_or_ply}: expected to know the scene, found no config.json that names "
                "it; add --scene SCENE"
            )
        if not scene.test:
            raise UserError(
                f"{scene.path}: expected held-out photos to score, found none: {scene.rule}; name "
                "a scene that has some with --scene SCENE"
            )
        splats = with_origin(loaded.splats, scene.origin_world)
        scores = evaluate(splats, scene.test, device=self.device)
        last = loaded.metrics[-1] if loaded.metrics else {}
        content = complete(scores, scene, last.get("step"), last.get("seconds"))
        if self.sheet is not None:
            self._write_sheet(scene, splats)
        if self.json:
            print(json.dumps(content, indent=2))
        else:
            print_table(content)
        return 0

    def _write_sheet(self, scene: Scene, splats: Splats) -> None:
        from app.contact_sheet import sheet
        from data.whole_files import replacing

        assert self.sheet is not None
        title = f"{scene.name}, held-out views: {len(splats):,} splats, {splats.kernel.name}"
        with replacing(self.sheet) as temporary:
            sheet(scene.test, splats, title, 400).save(temporary, quality=88)


def complete(
    scores: dict[str, Any], scene: Scene, steps: int | None, seconds: float | None
) -> dict[str, Any]:
    """The content of eval.json, in its order."""
    from splatting.evaluation import CONVENTIONS

    content = {**scores, "steps": steps, "seconds": seconds}
    content |= {"split": scene.split, "conventions": CONVENTIONS}
    return {name: content[name] for name in FIELDS}


def print_table(content: dict[str, Any]) -> None:
    """One row a photo, the mean last."""
    from rich.console import Console
    from rich.table import Table

    table = Table("photo", box=None)
    for name in ("PSNR", "SSIM", "LPIPS"):
        table.add_column(name, justify="right")
    mean = {**content, "name": f"mean of {len(content['images'])}"}
    for row in (*content["images"], mean):
        lpips = "-" if row["lpips"] is None else f"{row['lpips']:.3f}"
        table.add_row(row["name"], f"{row['psnr']:.2f}", f"{row['ssim']:.4f}", lpips)
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{content['splats']:,} splats, kernel {content['kernel']}")
    console.print(content["split"])
    for name, how in content["conventions"].items():
        console.print(f"{name.upper() if name in content else name}: {how}")
