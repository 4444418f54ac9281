"""Patches of images: what is compiled equals what the same functions do to numpy arrays."""

from __future__ import annotations

import numpy as np
from numba import njit

from splatting.cpu import patches as memory

f32 = np.float32


def patches(image, plane, out_image, out_plane):
    red, green, blue = memory.load_rows_rgb(image, 9, 30)
    memory.store_rows_rgb(out_image, 9, 30, blue, red, green)
    memory.store_rows(out_plane, 3, 10, memory.load_rows(plane, 2, 10))


def test_patches_of_images() -> None:
    image = np.arange(300, dtype=f32)
    plane = np.arange(100, dtype=f32)
    found = [np.zeros_like(image), np.zeros_like(plane)]
    njit(patches)(image, plane, *found)
    plain = [np.zeros_like(image), np.zeros_like(plane)]
    patches(image, plane, *plain)
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_array_equal(one, other)
    x, y = 3, 0
    pixel = image.reshape(10, 10, 3)[y, x]
    np.testing.assert_array_equal(found[0].reshape(10, 10, 3)[y, x], [pixel[2], pixel[0], pixel[1]])
