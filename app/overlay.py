"""Skeletons drawn over the frames of a video, or on a plain ground where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import UserError
from data.motion import Motion

SEEN, FOUND, BONE = (255, 210, 60), (70, 200, 255), (255, 255, 255)
"""Colours of what the tracker gave, of where the lifted joints fall, and of bones."""


def draw(picture: np.ndarray, motion: Motion, row: int) -> np.ndarray:
    """A picture with a frame's bones and joints; the tracker's points are rings."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    size = max(2, round(max(picture.shape[:2]) / 250))
    if motion.xy_reprojected is not None:
        points = motion.xy_reprojected[row]
        for a, b in motion.skeleton.edges.tolist():
            if np.isfinite(points[[a, b]]).all():
                pen.line([*points[a], *points[b]], fill=BONE, width=max(1, size // 2))
        for x, y in points[np.isfinite(points).all(axis=1)]:
            pen.ellipse([x - size, y - size, x + size, y + size], fill=FOUND)
    if motion.xy is not None:
        for x, y in motion.xy[row][np.isfinite(motion.xy[row]).all(axis=1)]:
            ring = 1.8 * size
            pen.ellipse([x - ring, y - ring, x + ring, y + ring], outline=SEEN)
    return np.asarray(image)


def video_frames(path: Path) -> Iterator[np.ndarray]:
    """The frames of a video, one after the other; UserError where it cannot be read."""
    try:
        import imageio_ffmpeg
    except ImportError:
        raise UserError(
            f"{path}: expected the package imageio-ffmpeg to read videos, found it missing; pip"
            " install 'darb3d[video]'"
        ) from None
    reader: Any = imageio_ffmpeg.read_frames(str(path), pix_fmt="rgb24")
    try:
        width, height = next(reader)["size"]
        for frame in reader:
            yield np.frombuffer(frame, np.uint8).reshape(height, width, 3)
    except (OSError, RuntimeError, StopIteration, KeyError, ValueError) as error:
        raise UserError(f"{path}: expected a video, found: {error!s:.100}") from None
    finally:
        reader.close()


def write_overlay(video: Path, out: Path, motion: Motion) -> int:
    """The motion's frames of a video with the skeleton over them; how many were written."""
    from app.film import film

    rows = {int(frame): row for row, frame in enumerate(np.asarray(motion.frames))}
    written = 0
    with film(out, motion.fps) as add:
        for number, picture in enumerate(video_frames(video)):
            if number in rows:
                add(draw(picture, motion, rows[number]))
                written += 1
            if written == len(rows):
                break
        if not written:
            raise UserError(
                f"{video}: expected frames {min(rows)} to {max(rows)} of the tracks, found none of"
                " them; is it another video?"
            )
    return written
