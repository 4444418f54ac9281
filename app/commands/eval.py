"""`darb3d eval`: the score of splats on a scene's held-out photos."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from data.errors import UserError

if TYPE_CHECKING:
    from splatting.splats import Splats

FIELDS = ("psnr", "ssim", "lpips", "splats", "steps", "seconds", "kernel", "images")


@dataclass(frozen=True)
class Command:
    """Score a run, or a .ply of splats, on the held-out photos of a scene."""

    run_or_ply: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR|FILE.ply")]
    """Run folder or .ply file."""
    scene: Path | None = None
    """COLMAP folder; a run folder remembers its own."""
    data_factor: int | None = None
    """Shrink the photos by this factor; a run folder remembers its own, otherwise 1."""
    device: Literal["cpu", "cuda"] = "cpu"
    """cuda draws with gsplat, which knows only the Gaussian."""
    json: bool = False
    """Print the fields of eval.json instead of a table."""

    def run(self) -> int:
        """Print the score; returns the exit code."""
        from data import load_scene
        from splatting.evaluation import evaluate
        from splatting.splats import with_origin

        loaded = load(self.run_or_ply)
        scene_path = self.scene or loaded.scene
        if scene_path is None:
            raise UserError(
                f"{self.run_or_ply}: expected to know the scene, found no config.json that names "
                "it; add --scene SCENE"
            )
        if self.data_factor is not None and self.data_factor < 1:
            raise UserError(f"--data-factor: expected 1 or more, found {self.data_factor}")
        scene = load_scene(scene_path, self.data_factor or loaded.data_factor)
        if loaded.saw_every_photo and self.scene is None:
            raise UserError(
                f"{self.run_or_ply}: expected a run that held photos out, found one trained with "
                "--train-on-all; name photos it has not seen with --scene SCENE"
            )
        splats = with_origin(loaded.splats, scene.origin_world)
        scores = evaluate(splats, scene.test, device=self.device)
        last = loaded.metrics[-1] if loaded.metrics else {}
        content = complete(scores, last.get("step"), last.get("seconds"))
        if self.json:
            print(json.dumps(content, indent=2))
        else:
            print_table(content)
        return 0


@dataclass(frozen=True)
class Loaded:
    """Splats, and what their run folder remembers (nothing, for a lone .ply)."""

    splats: Splats
    scene: Path | None = None
    data_factor: int = 1
    saw_every_photo: bool = False
    metrics: list[dict[str, Any]] = field(default_factory=list)
    """What training reported, oldest first."""


def load(path: Path) -> Loaded:
    """Read a run folder or a .ply; UserError when it is neither."""
    from app.runs import RunFolder
    from splatting import checkpoint, export

    if not path.is_dir():
        if not path.exists():
            raise UserError(f"{path}: expected a run folder or a .ply, found nothing there")
        return Loaded(export.load_ply(path))
    run = RunFolder.open(path)
    if run.splats_path.exists():
        splats = checkpoint.load_splats(run.splats_path)
    else:
        splats = export.load_ply(run.ply_path)
    config = run.read_config()
    return Loaded(
        splats,
        scene=Path(config.scene) if config else None,
        data_factor=config.data_factor if config else 1,
        saw_every_photo=config.train_on_all if config else False,
        metrics=run.metrics(),
    )


def complete(scores: dict[str, Any], steps: int | None, seconds: float | None) -> dict[str, Any]:
    """The content of eval.json, in its order."""
    content = {**scores, "steps": steps, "seconds": seconds}
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
