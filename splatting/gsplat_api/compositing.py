"""gsplat's `rasterize_to_pixels` over our compositing loop, four channels at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import get_num_threads
from torch import Tensor

from splatting.cpu import compositing, compositing_backward
from splatting.cpu import screen as s
from splatting.cpu.screen_input import add_pairs, fill_records
from splatting.gsplat_api import checks
from splatting.gsplat_api.projection import kernel_of
from splatting.kernels import Kernel

MAX_ALPHA = np.float32(0.999)
"""gsplat 1.5's; ours is 0.99."""
CHANNELS = 4
"""Channels of a record: red, green, blue and depth."""
TILE_SIZES = (4, 8, 16, 32)
_NO_COLOUR = np.zeros(3, np.float32)


def rasterize_to_pixels(
    means2d: Tensor,
    conics: Tensor,
    colors: Tensor,
    opacities: Tensor,
    image_width: int,
    image_height: int,
    tile_size: int,
    isect_offsets: Tensor,
    flatten_ids: Tensor,
    backgrounds: Tensor | None = None,
    masks: Tensor | None = None,
    packed: bool = False,
    absgrad: bool = False,
    kernel: str | Kernel = "gaussian",
) -> tuple[Tensor, Tensor]:
    """Colours (I, h, w, D) and alphas (I, h, w, 1) of splats on I screens, (I, N, ...) or (nnz,
    ...) when packed, D of any size; tiles of 4, 8, 16 or 32 pixels.

    `masks` (I, tile_height, tile_width) leaves tiles empty. With `absgrad` the backward sets
    `means2d.absgrad`; a sum over pixels of absolute values has no meaning in parts, so D <= 4 then.
    """
    rows = tuple(means2d.shape[:-1])
    checks.tensor("means2d", means2d, (*(None,) * (1 if packed else 2), 2))
    checks.tensor("conics", conics, (*rows, 3))
    checks.tensor("colors", colors, (*rows, None))
    checks.tensor("opacities", opacities, rows)
    checks.whole("image_width", image_width)
    checks.whole("image_height", image_height)
    checks.choice("tile_size", tile_size, TILE_SIZES)
    tiles = (-(-image_height // tile_size), -(-image_width // tile_size))
    checks.tensor("isect_offsets", isect_offsets, (None, *tiles), integer=True)
    checks.tensor("flatten_ids", flatten_ids, (None,), integer=True)
    images, channels = isect_offsets.shape[0], colors.shape[-1]
    if channels == 0 or (absgrad and channels > CHANNELS):
        raise ValueError(
            f"colors: expected 1 to {CHANNELS} channels with absgrad, found {channels}"
        )
    if masks is not None:
        checks.mask("masks", masks, tuple(isect_offsets.shape))
    starts, ends = _ranges(isect_offsets, len(flatten_ids), masks)
    size = (image_width, image_height, tile_size)
    drawn, alphas = _Rasterize.apply(
        means2d,
        conics,
        colors,
        opacities,
        size,
        starts,
        ends,
        flatten_ids,
        absgrad,
        kernel_of(kernel).precise,
    )
    if backgrounds is not None:
        checks.tensor("backgrounds", backgrounds, (images, channels))
        drawn = drawn + (1.0 - alphas) * backgrounds[:, None, None, :]
    return drawn, alphas


def _ranges(offsets: Tensor, total: int, masks: Tensor | None) -> tuple[Any, Any]:
    """First and past-last place of each tile's list, (I, tiles) int64."""
    starts = offsets.reshape(-1).numpy().astype(np.int64)
    ends = np.append(starts[1:], total)
    if masks is not None:
        ends = np.where(masks.reshape(-1).numpy(), ends, starts)
    return starts.reshape(len(offsets), -1), ends.reshape(len(offsets), -1)


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        means2d: Tensor,
        conics: Tensor,
        colors: Tensor,
        opacities: Tensor,
        size: tuple[int, int, int],
        starts: np.ndarray,
        ends: np.ndarray,
        flatten_ids: Tensor,
        absgrad: bool,
        kernel: Kernel,
    ) -> tuple[Tensor, Tensor]:
        width, height, ctx.tile_size = size
        images, channels = len(starts), colors.shape[-1]
        ctx.save_for_backward(means2d, conics, colors, opacities)
        ctx.absgrad, ctx.kernel = absgrad, kernel
        ctx.splat_of = flatten_ids.numpy().astype(np.int32, copy=False)
        ctx.lists = [
            _compact(first, past, ctx.splat_of) for first, past in zip(starts, ends, strict=True)
        ]
        rgb = np.empty((height, width, 3), np.float32)
        ctx.drawn = np.empty((images, height, width, channels), np.float32)
        ctx.through = np.empty((images, height, width), np.float32)
        ctx.painted = [np.empty(len(splats), np.uint64) for _, splats in ctx.lists]
        fourth = np.empty((height, width), np.float32)
        for first in range(0, channels, CHANNELS):
            records = _records(means2d, conics, colors, opacities, first, kernel)
            chunk = slice(first, min(first + CHANNELS, channels))
            for image, (tile_start, splats) in enumerate(ctx.lists):
                compositing.composite(
                    records,
                    kernel.program,
                    MAX_ALPHA,
                    tile_start,
                    splats,
                    ctx.tile_size,
                    -(-width // ctx.tile_size),
                    _NO_COLOUR,
                    rgb,
                    ctx.through[image],
                    fourth,
                    ctx.painted[image],
                    get_num_threads(),
                )
                both = np.concatenate([rgb, fourth[..., None]], axis=-1)
                ctx.drawn[image, ..., chunk] = both[..., : chunk.stop - first]
        alphas = 1.0 - ctx.through[..., None]
        return torch.from_numpy(ctx.drawn.copy()), torch.from_numpy(alphas)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        means2d, conics, colors, opacities = ctx.saved_tensors
        _, height, width, channels = ctx.drawn.shape
        d_drawn = gradients[0].contiguous().numpy()
        d_alpha = gradients[1].contiguous().numpy()[..., 0]
        none = np.zeros((height, width), np.float32)
        count = opacities.numel()
        summed = np.zeros((count, s.GRAD_WIDTH))
        d_colors = np.zeros((count, channels), np.float32)
        for first in range(0, channels, CHANNELS):
            records = _records(means2d, conics, colors, opacities, first, ctx.kernel)
            last = min(first + CHANNELS, channels)
            totals = np.zeros((count, s.GRAD_WIDTH))
            for image, (tile_start, splats) in enumerate(ctx.lists):
                drawn, slope = (np.zeros((height, width, CHANNELS), np.float32) for _ in range(2))
                drawn[..., : last - first] = ctx.drawn[image, ..., first:last]
                slope[..., : last - first] = d_drawn[image, ..., first:last]
                rows = np.empty((len(splats), s.GRAD_WIDTH), np.float32)
                compositing_backward.composite_backward(
                    records,
                    ctx.kernel.program,
                    MAX_ALPHA,
                    tile_start,
                    splats,
                    np.arange(len(splats)),
                    ctx.tile_size,
                    -(-width // ctx.tile_size),
                    np.ascontiguousarray(drawn[..., :3]),
                    ctx.through[image],
                    np.ascontiguousarray(drawn[..., 3]),
                    ctx.painted[image],
                    np.ascontiguousarray(slope[..., :3]),
                    d_alpha[image] if first == 0 else none,
                    np.ascontiguousarray(slope[..., 3]),
                    rows,
                    get_num_threads(),
                )
                add_pairs(splats, rows, records, totals)
            d_colors[:, first:last] = totals[:, s.GRAD_RED : s.GRAD_RED + last - first]
            summed += totals

        def column(first: int, last: int, like: Tensor) -> Tensor:
            return torch.from_numpy(summed[:, first:last].astype(np.float32)).reshape(like.shape)

        if ctx.absgrad:
            means2d.absgrad = column(s.GRAD_ABS_X, s.GRAD_ABS_Y + 1, means2d)
        return (
            column(s.GRAD_X, s.GRAD_Y + 1, means2d),
            column(s.GRAD_A, s.GRAD_C + 1, conics),
            torch.from_numpy(d_colors).reshape(colors.shape),
            column(s.GRAD_OPACITY, s.GRAD_OPACITY + 1, opacities),
            *(None,) * 6,
        )


def _compact(starts: np.ndarray, ends: np.ndarray, splat_of: np.ndarray) -> tuple[Any, Any]:
    """One image's lists without gaps: where each tile begins (tiles + 1,), and the splats (p,)."""
    lengths = ends - starts
    tile_start = np.concatenate([[0], np.cumsum(lengths)])
    if (starts[1:] == ends[:-1]).all():
        return tile_start, np.ascontiguousarray(splat_of[starts[0] : ends[-1]])
    places = np.repeat(starts - tile_start[:-1], lengths) + np.arange(tile_start[-1])
    return tile_start, splat_of[places]


def _records(
    means2d: Tensor, conics: Tensor, colors: Tensor, opacities: Tensor, first: int, kernel: Kernel
) -> np.ndarray:
    """Records (n, 16) with the four channels of `colors` from `first`."""
    count = opacities.numel()
    four = np.zeros((count, CHANNELS), np.float32)
    part = colors.detach().reshape(count, -1)[:, first : first + CHANNELS].numpy()
    four[:, : part.shape[1]] = part
    records = np.empty((count, s.WIDTH), np.float32)
    fill_records(
        means2d.detach().reshape(count, 2).numpy(),
        conics.detach().reshape(count, 3).numpy(),
        opacities.detach().reshape(count).numpy(),
        four,
        kernel.cutoff_table,
        records,
    )
    return records
