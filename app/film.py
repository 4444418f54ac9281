"""Films and pictures of drawn views: .mp4 without a system's ffmpeg, or a folder of .png."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from data.errors import UserError


@contextmanager
def film(path: Path, frames_per_second: float) -> Iterator[Any]:
    """Yields what takes one (h, w, 3) picture of bytes after the other; the .mp4 appears when the
    block ends well, a folder (any name without an ending) file by file."""
    if path.suffix.lower() == ".mp4":
        with _mp4(path, frames_per_second) as add:
            yield add
    elif path.suffix:
        raise UserError(
            f"{path}: expected a name that ends in .mp4, or a folder, found {path.suffix}"
        )
    else:
        yield _pictures(path)


def depth_colours(
    depths: Float32[np.ndarray, "h w"], near: float, far: float
) -> UInt8[np.ndarray, "h w 3"]:
    """Near is bright, far dark, even in 1 / depth; black where nothing was drawn (depth 0)."""
    from app.contact_sheet import ramp

    with np.errstate(divide="ignore"):
        share = (1.0 / depths - 1.0 / far) / max(1.0 / near - 1.0 / far, 1e-12)
    return ramp(np.where(depths > 0, share, 0.0))


def depth_range(depths: Iterable[np.ndarray]) -> tuple[float, float]:
    """The 2nd and 98th percentile of all depths above 0."""
    seen = np.concatenate([depth[depth > 0][::97] for depth in depths] or [np.empty(0)])
    if not len(seen):
        return 1.0, 2.0
    near, far = np.quantile(seen, [0.02, 0.98])
    return float(near), float(max(far, near * 1.001))


@contextmanager
def _mp4(path: Path, frames_per_second: float) -> Iterator[Any]:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise UserError(
            f"{path}: expected the package imageio-ffmpeg, which writes .mp4, found: {error}; "
            "pip install 'darb3d[video]', or name a folder for pictures"
        ) from None
    from data.whole_files import replacing

    with replacing(path) as temporary:
        writer: Any = None

        def add(picture: UInt8[np.ndarray, "h w 3"]) -> None:
            nonlocal writer
            # H.264 wants even sides
            even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
            if writer is None:
                writer = imageio_ffmpeg.write_frames(
                    str(temporary),
                    (even.shape[1], even.shape[0]),
                    fps=frames_per_second,  # type: ignore[arg-type]  # ffmpeg takes fractions
                    quality=8,
                    macro_block_size=2,
                )
                writer.send(None)
            writer.send(np.ascontiguousarray(even))

        try:
            yield add
        finally:
            if writer is not None:
                writer.close()


def _pictures(folder: Path) -> Any:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    number = 0

    def add(picture: UInt8[np.ndarray, "h w 3"]) -> None:
        nonlocal number
        Image.fromarray(picture).save(folder / f"{number:05d}.png")
        number += 1

    return add
