"""The backward of compositing, tile by tile, in the same order and with the same stops as the
forward: splat by splat, because each sums its gradients over all patches that it paints.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from simd.lane_memory import load, prefetch, scratch, store
from simd.lanes import COUNT, spread
from simd.threads import guarded
from simd.work_queue import take
from splatting.cpu import screen as s
from splatting.cpu import splat_columns as sc
from splatting.cpu.blending import PIXEL_X, PIXEL_Y, corner, pixel_centres
from splatting.cpu.blending_backward import (
    BLUE,
    DEPTH,
    GREEN,
    PAIR,
    PRODUCT,
    RED,
    REMAINING,
    STATE,
    X,
    Y,
    blend_backward,
)
from splatting.cpu.falloff import coefficients
from splatting.cpu.patches import PATCH, load_rows, load_rows_rgb

f32 = np.float32


@njit(error_model="numpy", nogil=True, cache=True)
def moments_to_gradients(g, record):
    """Turn the sums of a splat's pairs `g (16,)` into gradients of its record, in place.

    Sums over pixels commute with this, so it is done once a splat, not once a pair.
    """
    a, b, c = record[s.CONIC_A], record[s.CONIC_B], record[s.CONIC_C]
    g_x, g_y = g[s.GRAD_X], g[s.GRAD_Y]
    g[s.GRAD_X] = -2.0 * (a * g_x + b * g_y)
    g[s.GRAD_Y] = -2.0 * (b * g_x + c * g_y)
    g[s.GRAD_B] *= 2.0
    # what is too faint to be drawn may have no opacity at all
    g[s.GRAD_OPACITY] = g[s.GRAD_OPACITY] / record[s.OPACITY] if record[s.OPACITY] > 0 else 0.0
    g[s.GRAD_ABS_X] *= 2.0
    g[s.GRAD_ABS_Y] *= 2.0


@njit(error_model="numpy", nogil=True, cache=True)
def _read(state, centres, tile_x, tile_y, rgb, transmittance, depth, d_rgb, d_alpha, d_depth):
    """The state of a tile's patches before the first splat."""
    height, width = transmittance.shape
    flat = height * width
    zero = spread(f32(0))
    for patch in range(sc.PATCHES):
        first = patch * STATE
        left, top = corner(patch)
        store(state, first + X, load(centres, PIXEL_X) + f32(left))
        store(state, first + Y, load(centres, PIXEL_Y) + f32(top))
        left, top = left + tile_x, top + tile_y
        if left + PATCH <= width and top + PATCH <= height:
            place = top * width + left
            red, green, blue = load_rows_rgb(d_rgb.reshape(3 * flat), 3 * place, 3 * width)
            r, g, b = load_rows_rgb(rgb.reshape(3 * flat), 3 * place, 3 * width)
            # rgb holds the background's share; alpha = 1 - T adds -dL/dalpha for each unit of T
            remaining = r * red + g * green + b * blue
            if d_alpha is not None:
                through = load_rows(transmittance.reshape(flat), place, width)
                by_alpha = load_rows(d_alpha.reshape(flat), place, width)
                remaining = remaining - through * by_alpha
            if d_depth is not None:
                by_depth = load_rows(d_depth.reshape(flat), place, width)
                drawn = load_rows(depth.reshape(flat), place, width)
                remaining = remaining + drawn * by_depth
                store(state, first + DEPTH, by_depth)
            store(state, first + PRODUCT, spread(f32(1)))
            store(state, first + REMAINING, remaining)
            store(state, first + RED, red)
            store(state, first + GREEN, green)
            store(state, first + BLUE, blue)
            continue
        for plane in range(PRODUCT, STATE, COUNT):
            store(state, first + plane, zero)
        for k in range(COUNT):
            x, y = left + k % PATCH, top + k // PATCH
            if x < width and y < height:
                state[first + PRODUCT + k] = f32(1)
                for channel in range(3):
                    slope = d_rgb[y, x, channel]
                    state[first + RED + channel * COUNT + k] = slope
                    state[first + REMAINING + k] += rgb[y, x, channel] * slope
                if d_alpha is not None:
                    state[first + REMAINING + k] -= transmittance[y, x] * d_alpha[y, x]
                if d_depth is not None:
                    state[first + DEPTH + k] = d_depth[y, x]
                    state[first + REMAINING + k] += depth[y, x] * d_depth[y, x]


@guarded
@njit(parallel=True, error_model="numpy", nogil=True, cache=True)
def composite_backward(
    records,
    program,
    most,
    tile_start,
    splat_of,
    pair_of,
    size,
    columns,
    rgb,
    transmittance,
    depth,
    painted,
    d_rgb,
    d_alpha,
    d_depth,
    pair_gradients,
    threads,
):
    """One row of `pair_gradients (p, 16)` for each (tile, splat) pair, from the gradients of the
    outputs; the rows of a splat, summed, become gradients in `moments_to_gradients`.

    `d_rgb (h, w, 3)`, `d_alpha (h, w)` and `d_depth (h, w)` are dL/d(output), the latter two None
    for zero; all images lie in one piece. No two tiles write the same row, so nothing is locked and
    the sum over tiles can be taken in a fixed order afterwards. `threads` take tiles side by side.
    """
    table = coefficients(program)
    flat = pair_gradients.reshape(pair_gradients.size)
    queue, tiles = np.zeros(1, np.int64), len(tile_start) - 1
    for _ in prange(threads):
        state, centres, batch = scratch(sc.PATCHES * STATE), pixel_centres(), scratch(sc.SIZE)
        pairs = scratch(sc.PATCHES * PAIR)
        tile = take(queue)
        while tile < tiles:
            x, y = (tile % columns) * size, (tile // columns) * size
            _read(state, centres, x, y, rgb, transmittance, depth, d_rgb, d_alpha, d_depth)
            end = tile_start[tile + 1]
            for begin in range(tile_start[tile], end, sc.BATCH):
                count = min(sc.BATCH, end - begin)
                if not painted[begin : begin + count].any():
                    for i in range(begin, begin + count):
                        pair_gradients[pair_of[i], :] = f32(0)
                    continue
                sc.fetch(records, splat_of, begin, count, x, y, table, batch)
                for i in range(begin, begin + count):
                    prefetch(flat, pair_of[i] * s.GRAD_WIDTH)
                for i in range(count):
                    patches = painted[begin + i]
                    row = pair_of[begin + i] * s.GRAD_WIDTH
                    blend_backward(
                        program, most, d_depth, batch, i, patches, state, pairs, flat, row
                    )
            tile = take(queue)
