"""What `eval`, `view` and `export` start from: splats, and what their run folder remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import UserError

if TYPE_CHECKING:
    from app.runs import RunConfig
    from data.scene import Scene
    from splatting.splats import Splats


@dataclass(frozen=True)
class Loaded:
    """Splats, and what their run folder remembers (nothing, for a lone file)."""

    path: Path
    splats: Splats
    config: RunConfig | None = None
    metrics: list[dict[str, Any]] = field(default_factory=list)
    """What training reported, oldest first."""

    def scene(self, path: Path | None = None, data_factor: int | None = None) -> Scene | None:
        """The scene at `path`, or that of the run, read as the run read it; None if neither is
        known."""
        from app.cameras import read_scene
        from data import load_scene

        config = self.config
        if path is None and config is not None:
            return read_scene(Path(config.scene), config, self.path / "sfm", data_factor)
        if path is None:
            return None
        if config is None:
            return load_scene(path, data_factor or 1)
        factor, inverted = data_factor or config.data_factor, config.invert_masks
        return load_scene(path, factor, invert_masks=inverted, alpha=config.alpha)

    def psnr(self) -> tuple[float, str] | None:
        """The score of the run in dB and what it was measured on; None for a lone file."""
        from app.runs import RunFolder, read_json

        if self.path.is_dir() and (scored := RunFolder(self.path).eval_path).exists():
            score = read_json(scored).get("psnr")
            if isinstance(score, float):
                return score, "held-out photos"
        return (self.metrics[-1]["psnr"], "training photos") if self.metrics else None


def load(path: Path) -> Loaded:
    """Read a run folder, or splats of any format; UserError when it is neither."""
    from app.runs import RunFolder
    from splatting import checkpoint, export

    if not path.is_dir():
        if not path.exists():
            raise UserError(f"{path}: expected a run folder or a file of splats, found nothing")
        return Loaded(path, _read(path))
    run = RunFolder.open(path)
    if run.splats_path.exists():
        splats = checkpoint.load_splats(run.splats_path)
    else:
        splats = export.load_ply(run.ply_path)
    return Loaded(path, splats, run.read_config(), run.metrics())


def _read(path: Path) -> Splats:
    from splatting import export, foreign, import_glb

    if path.suffix.lower() == ".glb":
        return import_glb.load_glb(path)
    known = foreign.stored_format(path)
    return export.load_ply(path) if known is None else foreign.load_foreign(path)
