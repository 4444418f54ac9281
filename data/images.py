"""Photos: decoding, undistortion as COLMAP's, and area averaging."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Shaped, UInt8
from PIL import Image

from data.camera import Camera
from data.errors import UserError
from data.lenses import Lens, project, undistorted_camera

_PIXELS_AT_ONCE = 1 << 16
"""Pixels undistorted in one go: few enough for the cache, so that large photos stay quick."""

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
"""What Pillow raises for broken files of its many formats."""


def photo_size(path: Path) -> tuple[int, int, bool]:
    """Width, height and whether there is an alpha channel, from the header of a photo."""
    with _open(path) as photo:
        return *photo.size, _has_alpha(photo)


def read_photo(
    path: Path, straight: bool = False, draft: int | None = None
) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels of a photo as stored: no EXIF rotation (COLMAP ignores it too).

    What an alpha channel makes transparent is composited on black, or as it is below if `straight`;
    grey and 16-bit photos become 8-bit RGB. Formats that can skip work for it (JPEG) come smaller,
    with sides of `draft` pixels or more.
    """
    with _open(path) as photo:
        try:
            if draft is not None:
                photo.draft(None, (draft, draft))
            if _has_alpha(photo):
                rgba = np.asarray(photo.convert("RGBA"), np.float32)
                if straight:
                    return rgba[..., :3].astype(np.uint8)
                return np.rint(rgba[..., :3] * (rgba[..., 3:] / 255)).astype(np.uint8)
            if photo.mode.startswith("I"):
                grey = np.clip(np.asarray(photo, np.float64) / 257, 0, 255)
                return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)
            return np.asarray(photo.convert("RGB"))
        except _BROKEN as error:
            raise _broken(path, error) from None


def read_alpha(path: Path) -> UInt8[np.ndarray, "h w"]:
    """The alpha channel of a photo; opaque where it has none."""
    with _open(path) as photo:
        try:
            return np.asarray(photo.convert("RGBA"))[..., 3]
        except _BROKEN as error:
            raise _broken(path, error) from None


def read_mask(path: Path) -> UInt8[np.ndarray, "h w"]:
    """A mask: its alpha channel if that says anything, else its brightness."""
    with _open(path) as photo:
        try:
            if _has_alpha(photo):
                alpha = np.asarray(photo.convert("RGBA"))[..., 3]
                if alpha.min() < 255:
                    return alpha
            if photo.mode.startswith("I"):
                return np.where(np.asarray(photo) > 0, 255, 0).astype(np.uint8)
            return np.asarray(photo.convert("L"))
        except _BROKEN as error:
            raise _broken(path, error) from None


def resize_mask(mask: UInt8[np.ndarray, "h w"], width: int, height: int) -> np.ndarray:
    """A mask at another size, nearest pixel: it says which photo pixels count, and those are
    whole."""
    if mask.shape == (height, width):
        return mask
    rows = (np.arange(height) * mask.shape[0]) // height
    columns = (np.arange(width) * mask.shape[1]) // width
    return mask[rows[:, None], columns]


def undistort(
    photo: UInt8[np.ndarray, "h w 3"], lens: Lens
) -> tuple[UInt8[np.ndarray, "h2 w2 3"], Camera]:
    """The photo as the pinhole `undistorted_camera(lens)` sees it, and that pinhole.

    Bilinear and rounded to bytes, as COLMAP's `undistort_image`; pixels that the photo does not
    show are black. A camera less than half as large as the photo is reached by area averaging.
    """
    camera = undistorted_camera(lens)
    small = min(camera.width / lens.width, camera.height / lens.height) < 0.5
    target = camera.resized(lens.width, lens.height) if small else camera
    x = (np.arange(target.width) + 0.5 - target.K[0, 2]) / target.K[0, 0]
    y = (np.arange(target.height) + 0.5 - target.K[1, 2]) / target.K[1, 1]
    flat = np.empty((target.height, target.width, 3), np.uint8)
    rows_at_once = max(1, _PIXELS_AT_ONCE // target.width)
    for top in range(0, target.height, rows_at_once):
        uv = np.stack(np.meshgrid(x, y[top : top + rows_at_once]), -1).reshape(-1, 2)
        sampled = _bilinear(photo, project(lens, uv) - 0.5)
        flat[top : top + rows_at_once] = sampled.reshape(-1, target.width, 3)
    if small:
        flat = np.rint(area_average(flat, camera.width, camera.height)).astype(np.uint8)
    return flat, camera


def _bilinear(
    photo: UInt8[np.ndarray, "h w 3"], where: Float64[np.ndarray, "n 2"]
) -> UInt8[np.ndarray, "n 3"]:
    """The photo at (column, row) `where`, pixel centres at whole numbers; black outside."""
    height, width = photo.shape[:2]
    seen = np.all((where >= 0) & (where < (width - 1, height - 1)), axis=1)
    where = np.where(seen[:, None], where, 0.0)
    first = where.astype(np.intp)
    right, down = (where - first).astype(np.float32).T[..., None]
    pixels = photo.reshape(-1, 3)
    index = first[:, 1] * width + first[:, 0]
    upper = pixels[index].astype(np.float32)
    upper += (pixels[index + 1] - upper) * right
    lower = pixels[index + width].astype(np.float32)
    lower += (pixels[index + width + 1] - lower) * right
    upper += (lower - upper) * down
    return np.where(seen[:, None], np.rint(upper), 0).astype(np.uint8)


def area_average(
    photo: Shaped[np.ndarray, "h w c"], width: int, height: int
) -> Float32[np.ndarray, "h2 w2 c"]:
    """The photo shrunk to `width` x `height`, each new pixel the exact mean of the area it covers.

    Values keep their range; the size need not divide evenly.

    >>> area_average(np.array([[[0.0], [3.0], [6.0]]]), 2, 1)[0, :, 0]
    array([1., 5.], dtype=float32)
    """
    rows, columns = photo.shape[:2]
    if height > rows or width > columns:
        raise ValueError(f"expected at most {columns}x{rows}, got {width}x{height}")
    short = np.zeros((height, columns, photo.shape[2]), np.float32)
    for index, weight in _box_taps(rows, height):
        short += weight[:, None, None] * photo[index]
    small = np.zeros((height, width, photo.shape[2]), np.float32)
    for index, weight in _box_taps(columns, width):
        small += weight[:, None] * short[:, index]
    return small


def _box_taps(old: int, new: int) -> list[tuple[np.ndarray, Float32[np.ndarray, "new"]]]:
    """Pixels and weights of each tap of a box filter, in whole numbers of 1 / new of a pixel."""
    start = np.arange(new) * old
    first = start // new
    taps = []
    for offset in range(-(-old // new) + 1):
        pixel = first + offset
        covered = np.minimum(start + old, (pixel + 1) * new) - np.maximum(start, pixel * new)
        if (covered > 0).any():
            weight = np.maximum(covered, 0) / old
            taps.append((np.minimum(pixel, old - 1), weight.astype(np.float32)))
    return taps


def _has_alpha(photo: Image.Image) -> bool:
    return photo.mode in ("RGBA", "LA", "PA") or "transparency" in photo.info


def _open(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(path)
    except FileNotFoundError:
        raise UserError(f"{path}: expected a photo, found no file") from None
    except PermissionError as error:
        raise UserError(f"{path}: expected a readable photo, found: {error.strerror}") from None
    except (*_BROKEN, Image.DecompressionBombError) as error:
        raise _broken(path, error) from None


def _broken(path: Path, error: Exception) -> UserError:
    reason = str(error).replace(f" {str(path)!r}", "")
    return UserError(
        f"{path}: expected a readable photo, found a broken one ({reason}); replace it or remove it"
    )
