"""Photos or a video without cameras: structure from motion into a folder of our own, with a bar for
each stage; and the scene that comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from app.runs import RunConfig
    from data.scene import Scene
    from data.sfm import SfmConfig

STAGES = {
    "frames": "seconds of video",
    "features": "photos searched",
    "matches": "pairs compared",
    "cameras": "cameras found",
}
"""What is counted in each stage."""


def are_missing(source: Path) -> bool:
    """Whether `source` is a video, or a folder (or .zip) with photos and no model."""
    from data.photo_files import photos_below
    from data.reconstruction import has_model
    from data.video import is_video

    if is_video(source):
        return True
    folder = folder_of(source)
    return folder.is_dir() and not has_model(folder) and bool(photos_below(folder))


def check_photos(source: Path) -> str:
    """UserError if a scene lies below photos that have no model: finding cameras takes long, and is
    hardly what was meant. A note if one lies above."""
    from data.reconstruction import scene_near
    from data.video import is_video

    if is_video(source):
        return ""
    folder = folder_of(source)
    near = scene_near(folder)
    if near is None:
        return ""
    if near == folder.parent:
        return f"cameras of these photos are known in {near}: to take those, name that folder"
    raise UserError(
        f"{source}: expected photos or one scene, found the scene {near} in it; name that folder"
    )


def folder_of(source: Path) -> Path:
    """`source`, or what it unpacks to."""
    from data.archives import is_archive, unpacked

    return unpacked(source) if is_archive(source) else source


def find(
    source: Path,
    out: Path,
    console: Console,
    stopped: Callable[[], bool],
    config: SfmConfig | None = None,
    frames_per_second: float = 2.0,
) -> None:
    """Write `out`/sparse/0 for photos or a video, whose frames go to `out`/images.

    Continues what stands in `out`. Raises UserError, or InterruptedError soon after `stopped`.
    """
    from data.photo_files import photo_folder, unread_photos
    from data.sfm import SfmConfig, reconstruct
    from data.video import extract_frames, is_video

    config, photos = config or SfmConfig(), source
    if not is_video(source):
        photos = photo_folder(folder_of(source))
        if unread := unread_photos(photos):
            console.print(unread)
    with StageProgress(console) as progress:
        if is_video(source):
            photos = out / "images"
            extract_frames(source, photos, frames_per_second, progress.update, stopped)
            if config.pairs == "auto":
                config = replace(config, pairs="film")
        notes = reconstruct(photos, out, config, progress.update, stopped)
    for note in notes:
        console.print(note)


def read_scene(
    source: Path, config: RunConfig, found: Path, data_factor: int | None = None
) -> Scene:
    """The scene of a run of `config`; `found` is where cameras were written if it had none."""
    from data import load_scene
    from data.video import is_video

    model = found if found.is_dir() else None
    if model is None and is_video(source):
        raise UserError(f"{found}: expected the frames of {source}, found no folder; train again")
    scene = load_scene(
        found if is_video(source) else source,
        data_factor or config.data_factor,
        config.train_on_all,
        config.invert_masks,
        config.alpha,
        model,
        config.undistorted,
    )
    return replace(scene, name=name_of(source))


def name_of(source: Path) -> str:
    """What runs of a scene are called after."""
    return source.resolve().stem if source.is_file() else source.resolve().name


class StageProgress:
    """A context with a bar for each stage as it begins; plain lines where there is no terminal."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._console = console
        self._bars = Progress(
            TextColumn("{task.description:>16}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            console=console,
            expand=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, int] = {}
        self._shares: dict[str, int] = {}

    def __enter__(self) -> StageProgress:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def update(self, stage: str, done: int, total: int) -> None:
        """Show how far a stage is."""
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(STAGES[stage], total=total)
        self._bars.update(self._tasks[stage], completed=done, total=total)  # type: ignore[arg-type]
        quarter = 4 * done // max(total, 1)
        if not self._console.is_terminal and quarter > self._shares.get(stage, 0):
            self._shares[stage] = quarter
            self._console.print(f"{STAGES[stage]}: {done} of {total}")
