"""`darb3d sfm`: cameras for photos or a video, as a COLMAP scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from data.errors import UserError


@dataclass(frozen=True)
class Command:
    """Find the cameras of photos or of a video's sharpest frames, with COLMAP (pycolmap).

    Writes OUT/sparse/0, and OUT/images for a video. Started again with the same OUT, it continues.
    `darb3d train PHOTOS` does this by itself; use this command to keep or correct the model.
    """

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PHOTOS|VIDEO")]
    """Folder of photos, or a video."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder to write; give the parent of a folder images/ to make that a COLMAP scene."""
    pairs: Literal["auto", "all", "film", "similar"] = "auto"
    """Which photos are compared: all (auto up to 80 photos), neighbours in a film (auto for a
    video), or those that look alike."""
    lens: str = "SIMPLE_RADIAL"
    """COLMAP's camera model: SIMPLE_RADIAL for phones and cameras, OPENCV for wide angles,
    OPENCV_FISHEYE."""
    max_side: int = 1600
    """Features are looked for in photos no larger than this."""
    fps: float = 2.0
    """Frames taken from each second of a video."""

    def run(self) -> int:
        """Find cameras; returns the exit code."""
        from rich.console import Console

        from app import cameras
        from app.interrupts import StopRequest
        from data.archives import is_archive
        from data.lens_models import MODELS
        from data.sfm import SfmConfig
        from data.video import is_video

        if not self.source.exists():
            raise UserError(f"{self.source}: expected photos or a video, found nothing there")
        if self.source.is_file() and not (is_video(self.source) or is_archive(self.source)):
            raise UserError(f"{self.source}: expected a folder of photos or a video, found a file")
        if self.lens not in MODELS:
            raise UserError(f"--lens: expected one of {', '.join(MODELS)}, found {self.lens}")
        if not (self.fps > 0 and self.max_side > 0):
            raise UserError(f"--fps, --max-side: expected above 0, found {self.fps, self.max_side}")
        console = Console(highlight=False, markup=False, soft_wrap=True)
        config = SfmConfig(self.max_side, self.lens, self.pairs)
        with StopRequest() as stop:
            try:
                cameras.find(self.source, self.out, console, lambda: bool(stop), config, self.fps)
            except InterruptedError:
                console.print(f"stopped; the same command goes on with what is in {self.out}")
                return stop.code
        console.print(f"wrote {self.out / 'sparse' / '0'}")
        return 0
