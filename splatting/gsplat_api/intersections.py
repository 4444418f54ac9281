"""gsplat's `isect_tiles` and `isect_offset_encode`: which splat meets which tile, in depth
order."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor

from splatting.gsplat_api import checks


@torch.no_grad()
def isect_tiles(
    means2d: Tensor,
    radii: Tensor,
    depths: Tensor,
    tile_size: int,
    tile_width: int,
    tile_height: int,
    sort: bool = True,
    segmented: bool = False,
    packed: bool = False,
    n_images: int | None = None,
    image_ids: Tensor | None = None,
    gaussian_ids: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Tiles of each splat (..., N) or (nnz,) int32; then, sorted, the ids (p,) int64 of all
    meetings: image | tile | 32 bits of depth; and which splat each is, (p,) int32 into the
    flattened rows.
    """
    checks.left_out(segmented=segmented)
    checks.tensor("means2d", means2d, (*means2d.shape[:-1], 2))
    rows = means2d.shape[:-1]
    checks.tensor("radii", radii, (*rows, 2), integer=True)
    checks.tensor("depths", depths, tuple(rows))
    for name, value in (("tile_size", tile_size), ("tile_width", tile_width)):
        checks.whole(name, value)
    checks.whole("tile_height", tile_height)
    flat = means2d.reshape(-1, 2).numpy()
    if packed:
        if image_ids is None or gaussian_ids is None or n_images is None:
            raise ValueError(
                "image_ids, gaussian_ids, n_images: expected all three when packed=True"
            )
        images = checks.tensor("image_ids", image_ids, (len(flat),), integer=True).numpy()
    else:
        each = means2d.shape[-2]
        n_images = len(flat) // each if each else 0
        images = np.repeat(np.arange(n_images), each)
    boxes = np.zeros((len(flat), 4), np.int64)
    counts = np.zeros(len(flat), np.int32)
    _boxes(flat, radii.reshape(-1, 2).numpy(), tile_size, tile_width, tile_height, boxes, counts)
    total = int(counts.sum(dtype=np.int64))
    ids, splats = np.empty(total, np.int64), np.empty(total, np.int32)
    bits = depths.reshape(-1).contiguous().numpy().view(np.uint32)
    _list(
        boxes,
        images.astype(np.int64),
        bits,
        tile_width,
        tile_bits(tile_width, tile_height),
        ids,
        splats,
    )
    isect_ids, flatten_ids = torch.from_numpy(ids), torch.from_numpy(splats)
    if sort:
        isect_ids, order = torch.sort(isect_ids, stable=True)
        flatten_ids = flatten_ids[order]
    return torch.from_numpy(counts).reshape(rows), isect_ids, flatten_ids


@torch.no_grad()
def isect_offset_encode(
    isect_ids: Tensor, n_images: int, tile_width: int, tile_height: int
) -> Tensor:
    """Where each tile's list begins, (n_images, tile_height, tile_width) int32, in sorted ids."""
    checks.tensor("isect_ids", isect_ids, (None,), integer=True)
    tiles = torch.arange(n_images * tile_width * tile_height)
    per_image = tile_width * tile_height
    keys = ((tiles // per_image) << tile_bits(tile_width, tile_height)) | (tiles % per_image)
    offsets = torch.searchsorted(isect_ids, keys << 32)
    return offsets.reshape(n_images, tile_height, tile_width).int()


def tile_bits(tile_width: int, tile_height: int) -> int:
    """Bits that gsplat gives the number of a tile within an image."""
    return (tile_width * tile_height).bit_length()


@njit(error_model="numpy", nogil=True, cache=True)
def _boxes(means, radii, size, columns, rows, boxes, counts):
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
def _list(boxes, images, depth_bits, columns, bits, ids, splats):
    place = 0
    for i in range(len(boxes)):
        for y in range(boxes[i, 1], boxes[i, 3]):
            for x in range(boxes[i, 0], boxes[i, 2]):
                tile = y * columns + x
                ids[place] = (((images[i] << bits) | tile) << 32) | np.int64(depth_bits[i])
                splats[place] = i
                place += 1
