"""Photos from a video: the sharpest frame of each interval."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data.errors import UserError

SUFFIXES = {".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"}
MOST_FRAMES = 300
"""Longer videos get longer intervals."""


def is_video(path: Path) -> bool:
    """Whether the name is that of a video."""
    return path.suffix.lower() in SUFFIXES


def extract_frames(
    video: Path,
    out: Path,
    frames_per_second: float = 2.0,
    report: Callable[[str, int, int], Any] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Write the sharpest frame of each interval into the folder `out`; returns their number.

    The folder appears whole or not at all; one that is there already is left as it is. Raises
    UserError for a file that is no video, InterruptedError soon after `stopped` says so.
    """
    if out.is_dir():
        return len(list(out.iterdir()))
    report = report or (lambda *_: None)
    draft = out.with_name(f".{out.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    best: tuple[float, np.ndarray] | None = None
    kept = 0
    interval = 0.0
    for second, duration, frame in _frames(video):
        if stopped():
            raise InterruptedError
        interval = interval or max(1.0 / frames_per_second, duration / MOST_FRAMES)
        if best is not None and second >= (kept + 1) * interval:
            _write(draft, kept, best[1])
            kept, best = kept + 1, None
        sharp = sharpness(frame)
        if best is None or sharp > best[0]:
            best = (sharp, frame)
        report("frames", round(second), round(duration))
    if best is None:
        raise UserError(f"{video}: expected a video, found no frame in it")
    _write(draft, kept, best[1])
    draft.rename(out)
    return kept + 1


def sharpness(frame: np.ndarray) -> float:
    """Variance of the Laplacian of the brightness, (h, w, 3) bytes at every other pixel: motion
    and focus blur lower it."""
    grey = frame[::2, ::2].astype(np.float32).mean(axis=2)
    inner = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.var(4.0 * inner - around))


def _frames(video: Path) -> Any:
    """(seconds from the start, duration, frame (h, w, 3)) of each frame."""
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise UserError(
            f"{video}: expected the package imageio-ffmpeg, which reads videos, found: {error}; "
            "pip install 'darb3d[video]'"
        ) from None
    if not video.is_file():
        raise UserError(f"{video}: expected a video, found no file")
    # it remarks on phones that were held upright, whose frames it turns as they were taken
    logging.getLogger("imageio_ffmpeg").setLevel(logging.ERROR)
    try:
        stream = imageio_ffmpeg.read_frames(str(video))
        facts = next(stream)
        width, height = facts["size"]
        for number, frame in enumerate(stream):
            pixels = np.frombuffer(frame, np.uint8).reshape(height, width, 3)
            yield number / facts["fps"], float(facts["duration"]), pixels
    except (OSError, RuntimeError, StopIteration, KeyError) as error:
        last = str(error).strip().splitlines()
        raise UserError(
            f"{video}: expected a video that ffmpeg reads, found: {last[-1] if last else 'none'}"
        ) from None


def _write(folder: Path, number: int, frame: np.ndarray) -> None:
    Image.fromarray(frame).save(folder / f"frame_{number + 1:05d}.jpg", quality=95, subsampling=0)
