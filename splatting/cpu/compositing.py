"""Front-to-back compositing of tile lists, one tile of up to 32x32 pixels at a time.

A tile is 64 patches of 4x4 pixels, and a patch is one vector of sixteen lanes. Small splats waste
few lanes that way, where rows of sixteen pixels would be mostly empty. What happens within a patch
is in `splatting.cpu.blending`.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from simd.bit_matrix import transpose
from simd.lane_memory import load, scratch, store
from simd.lanes import COUNT, bits, spread, where
from simd.threads import guarded
from simd.work_queue import take
from splatting.cpu import splat_columns as sc
from splatting.cpu.blending import (
    BLUE,
    DEPTH,
    GREEN,
    PIXEL_X,
    PIXEL_Y,
    PRODUCT,
    RED,
    STATE,
    TRANSMITTANCE,
    blend,
    corner,
    pixel_centres,
)
from splatting.cpu.falloff import coefficients
from splatting.cpu.patches import PATCH, store_rows, store_rows_rgb

f32 = np.float32

MAX_ALPHA = f32(0.99)
"""Of one splat at one pixel (3DGS); callers may pass another."""


@njit(error_model="numpy", nogil=True, cache=True)
def _open_patches(state, centres, width, height):
    """Blank state for a tile of which `width` by `height` pixels lie in the image; the patches that
    have any, as bits."""
    patches = np.uint64(0)
    zero = spread(f32(0))
    for patch in range(sc.PATCHES):
        left, top = corner(patch)
        inside = (load(centres, PIXEL_X) < f32(width - left)) & (
            load(centres, PIXEL_Y) < f32(height - top)
        )
        if bits(inside) != 0:
            patches |= sc.bit(patch)
        first = patch * STATE
        # pixels beyond the image's edge are finished from the start
        store(state, first + PRODUCT, where(inside, f32(1), f32(0)))
        store(state, first + TRANSMITTANCE, spread(f32(1)))
        for plane in range(RED, STATE, COUNT):
            store(state, first + plane, zero)
    return patches


@njit(error_model="numpy", nogil=True, cache=True)
def _write(state, background, rgb, transmittance, depth, tile_x, tile_y, size):
    """The tile's pixels into the images."""
    height, width = transmittance.shape
    flat_rgb = rgb.reshape(rgb.size)
    flat_through, flat_depth = transmittance.reshape(height * width), depth.reshape(height * width)
    for patch in range(sc.PATCHES):
        left, top = corner(patch)
        if left >= size or top >= size:
            continue
        left, top = left + tile_x, top + tile_y
        if left >= width or top >= height:
            continue
        first = patch * STATE
        through = load(state, first + TRANSMITTANCE)
        red = load(state, first + RED) + through * background[0]
        green = load(state, first + GREEN) + through * background[1]
        blue = load(state, first + BLUE) + through * background[2]
        if left + PATCH <= width and top + PATCH <= height:
            place = top * width + left
            store_rows_rgb(flat_rgb, 3 * place, 3 * width, red, green, blue)
            store_rows(flat_through, place, width, through)
            store_rows(flat_depth, place, width, load(state, first + DEPTH))
            continue
        store(state, first + RED, red)
        store(state, first + GREEN, green)
        store(state, first + BLUE, blue)
        for k in range(COUNT):
            x, y = left + k % PATCH, top + k // PATCH
            if x < width and y < height:
                for channel in range(3):
                    rgb[y, x, channel] = state[first + RED + channel * COUNT + k]
                transmittance[y, x] = state[first + TRANSMITTANCE + k]
                depth[y, x] = state[first + DEPTH + k]


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def composite(
    records,
    program,
    most,
    tile_start,
    splat_of,
    size,
    columns,
    background,
    rgb,
    transmittance,
    depth,
    painted,
    threads,
):
    """Draw all tiles: `rgb (h, w, 3)` over `background (3,)`, `transmittance (h, w)`, `depth (h,
    w)` = sum of w z.

    Tiles have `size` pixels along a side, 32 or a smaller multiple of 4, and lie in rows of
    `columns`. `most` is the largest alpha of one splat. `painted (p,)` uint64 receives, for each
    place of the tile lists, the patches in which the splat paints: all that the backward visits.
    `threads` take tiles side by side.
    """
    height, width = transmittance.shape
    table = coefficients(program)[:1]
    queue, tiles = np.zeros(1, np.int64), len(tile_start) - 1
    for _ in prange(threads):
        state, centres = scratch(sc.PATCHES * STATE), pixel_centres()
        alphas, batch = scratch(sc.BATCH * COUNT), scratch(sc.SIZE)
        words, painters = np.zeros(sc.PATCHES, np.uint64), np.zeros(sc.PATCHES, np.uint64)
        tile = take(queue)
        while tile < tiles:
            tile_x, tile_y = (tile % columns) * size, (tile // columns) * size
            open_patches = _open_patches(
                state, centres, min(size, width - tile_x), min(size, height - tile_y)
            )
            end = tile_start[tile + 1]
            for begin in range(tile_start[tile], end, sc.BATCH):
                count = min(sc.BATCH, end - begin)
                if open_patches == 0:
                    painted[begin : begin + count] = 0
                    continue
                sc.fetch(records, splat_of, begin, count, tile_x, tile_y, table, batch)
                sc.reach(batch, count, words)
                for patch in range(sc.PATCHES):
                    painters[patch] = 0
                    if open_patches & sc.bit(patch) and words[patch] != 0:
                        painters[patch], still_open = blend(
                            program, most, batch, words[patch], centres, patch, state, alphas
                        )
                        if not still_open:
                            open_patches &= ~sc.bit(patch)
                transpose(painters)
                for i in range(count):
                    painted[begin + i] = painters[i]
            _write(state, background, rgb, transmittance, depth, tile_x, tile_y, size)
            tile = take(queue)
