"""gsplat's `isect_tiles` and `isect_offset_encode`: which splat meets which tile, in depth
order."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from splatting.cpu.box_lists import box_tiles, list_pairs
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
    box_tiles(flat, radii.reshape(-1, 2).numpy(), tile_size, tile_width, tile_height, boxes, counts)
    total = int(counts.sum(dtype=np.int64))
    ids, splats = np.empty(total, np.int64), np.empty(total, np.int32)
    bits = depths.reshape(-1).contiguous().numpy().view(np.uint32)
    list_pairs(
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
