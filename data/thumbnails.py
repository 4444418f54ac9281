"""Small pictures of photos, quick to make: JPEGs are decoded small."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from data.images import read_photo, undistort
from data.scene import View


def thumbnail(view: View, longest: int = 160) -> UInt8[np.ndarray, "h w 3"]:
    """What the view's camera sees, `longest` pixels along its longer side or as large as it is.

    Undistorted as `view.image()`, but at the small size. Raises `UserError` for a broken photo.
    """
    camera = view.camera
    shrink = min(1.0, longest / max(camera.width, camera.height))
    size = max(1, round(camera.width * shrink)), max(1, round(camera.height * shrink))
    # twice as large as needed: undistortion samples, and a lens may leave parts of the photo out
    photo = read_photo(view.image_path, view.alpha == "mask", draft=2 * max(size))
    if view.lens is not None:
        photo, _ = undistort(photo, view.lens.resized(photo.shape[1], photo.shape[0]))
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BOX))
