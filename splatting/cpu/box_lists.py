"""Tile lists from bounding boxes, as gsplat makes them; ours come from ellipses (see `tiles`)."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(error_model="numpy", nogil=True, cache=True)
def box_tiles(means, radii, size, columns, rows, boxes, counts):
    """First and past-last tile column and row of each box into `boxes (n, 4)` (x, y, x, y), and how
    many tiles that is into `counts (n,)`; a radius of 0 marks what is not drawn."""
    for i in range(len(means)):
        if radii[i, 0] <= 0 or radii[i, 1] <= 0:
            continue
        for axis, most in ((0, columns), (1, rows)):
            low = np.floor((means[i, axis] - radii[i, axis]) / size)
            high = np.ceil((means[i, axis] + radii[i, axis]) / size)
            boxes[i, axis] = min(max(low, 0), most)
            boxes[i, 2 + axis] = min(max(high, 0), most)
        counts[i] = (boxes[i, 2] - boxes[i, 0]) * (boxes[i, 3] - boxes[i, 1])


@njit(error_model="numpy", nogil=True, cache=True)
def list_pairs(boxes, images, depth_bits, columns, bits, ids, splats):
    """All (tile, splat) pairs of `boxes (n, 4)`: `ids (p,)` = image | tile | depth, unsorted, and
    the row that each belongs to, `splats (p,)`."""
    place = 0
    for i in range(len(boxes)):
        for y in range(boxes[i, 1], boxes[i, 3]):
            for x in range(boxes[i, 0], boxes[i, 2]):
                tile = y * columns + x
                ids[place] = (((images[i] << bits) | tile) << 32) | np.int64(depth_bits[i])
                splats[place] = i
                place += 1
