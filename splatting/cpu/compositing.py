"""Front-to-back compositing of tile lists, one tile of up to 32x32 pixels at a time.

A tile is 64 patches of 4x4 pixels, and a patch is one vector of sixteen lanes. Small splats waste
few lanes that way, where rows of sixteen pixels would be mostly empty. The splats that reach a
patch pass by three times: for their alphas, for their weights in order of depth, and for the sums.
Each of these keeps what it needs in the sixteen registers of AVX2; one loop for all of it does not.

A pixel ends BEFORE the splat that would take its transmittance below 1e-4. There is no branch and
no flag for that: the product of all 1 - alpha goes on falling behind that splat, so one comparison
says whether a pixel is still open.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from simd.lane_memory import (
    load,
    scratch,
    spread_at,
    store,
)
from simd.lanes import COUNT, absolute, bits, minimum, spread, trailing_zeros, where
from simd.threads import guarded
from splatting.cpu import splat_columns as sc
from splatting.cpu.falloff import coefficients, paint
from splatting.cpu.patches import PATCH, store_rows, store_rows_rgb

f32 = np.float32

MAX_ALPHA = f32(0.99)
"""Of one splat at one pixel (3DGS); callers may pass another."""
STOP = f32(1e-4)
"""Transmittance at which a pixel is finished."""
TILES_AT_ONCE = 1
"""Tiles that a thread takes from the queue: small, because tiles differ in cost."""

PIXEL_X, PIXEL_Y = 0, COUNT
"""Pixel centres of a patch within it, then its state in the tile's buffer."""
PRODUCT, TRANSMITTANCE, RED, GREEN, BLUE, DEPTH = (COUNT * k for k in range(6))
STATE = 6 * COUNT
"""Numbers of one patch: the product of all 1 - alpha, that of the splats that were let in, and the
sums of w r, w g, w b, w z."""


@njit(error_model="numpy", nogil=True, cache=True)
def pixel_centres():
    """x and y of the pixel centres of a patch, from its corner."""
    centres = scratch(2 * COUNT)
    for k in range(COUNT):
        centres[PIXEL_X + k] = f32(k % PATCH) + f32(0.5)
        centres[PIXEL_Y + k] = f32(k // PATCH) + f32(0.5)
    return centres


@njit(error_model="numpy", nogil=True, cache=True)
def corner(patch):
    """x and y of a patch within its tile."""
    return patch % sc.SIDE * PATCH, patch // sc.SIDE * PATCH


@njit(error_model="numpy", nogil=True, cache=True)
def _shade(program, most, columns, word, centres, patch, alphas):
    """The alpha of each splat of `word` at the pixels of one patch, zero beyond its edge."""
    left, top = corner(patch)
    x = load(centres, PIXEL_X) + f32(left)
    y = load(centres, PIXEL_Y) + f32(top)
    while word != 0:
        # two at a time: one splat's chain of sums leaves most of the machine idle
        i = trailing_zeros(word)
        word &= word - np.uint64(1)
        j = i
        if word != 0:
            j = trailing_zeros(word)
            word &= word - np.uint64(1)
        q_i = _distance(columns, i, x, y)
        q_j = _distance(columns, j, x, y)
        alpha_i = minimum(paint(program, columns, sc.PAINT + i, sc.BATCH, q_i), most)
        alpha_j = minimum(paint(program, columns, sc.PAINT + j, sc.BATCH, q_j), most)
        reached_i = q_i <= spread_at(columns, sc.Q_CUT + i)
        reached_j = q_j <= spread_at(columns, sc.Q_CUT + j)
        store(alphas, COUNT * i, where(reached_i, alpha_i, f32(0)))
        store(alphas, COUNT * j, where(reached_j, alpha_j, f32(0)))


@njit(inline="always")
def _distance(columns, i, x, y):
    """q of splat `i` at a patch's pixels."""
    dx = x - spread_at(columns, sc.X + i)
    dy = y - spread_at(columns, sc.Y + i)
    q = dx * spread_at(columns, sc.A + i) + dy * spread_at(columns, sc.TWO_B + i)
    return q * dx + dy * dy * spread_at(columns, sc.C + i)


@njit(error_model="numpy", nogil=True, cache=True)
def _weigh(word, alphas, state, patch, begin, painted):
    """Turn the alphas of the splats of `word` into weights; those that paint, as bits, and whether
    any pixel of the patch is still open.

    Bit `patch` of `painted[begin + i]` is set for each splat that paints there.
    """
    first = patch * STATE
    product, through = load(state, first + PRODUCT), load(state, first + TRANSMITTANCE)
    painters, still_open = np.uint64(0), True
    while word != 0:
        i = trailing_zeros(word)
        word &= word - np.uint64(1)
        weight = load(alphas, COUNT * i) * product
        product = product - weight
        goes_on = product >= STOP
        weight = where(goes_on, weight, f32(0))
        through = through - weight
        store(alphas, COUNT * i, weight)
        # no branch: whether a splat at the patch's edge paints cannot be foreseen
        paints = np.uint64(bits(absolute(weight) > f32(0)) != 0)
        painters |= paints << np.uint64(i)
        painted[begin + i] |= paints << np.uint64(patch)
        if bits(goes_on) == 0:
            still_open = False
            break
    store(state, first + PRODUCT, product)
    store(state, first + TRANSMITTANCE, through)
    return painters, still_open


@njit(error_model="numpy", nogil=True, cache=True)
def _add(columns, painters, weights, state, patch):
    """Add what the splats of `painters` contribute to colour and depth of one patch."""
    first = patch * STATE
    red, green = load(state, first + RED), load(state, first + GREEN)
    blue, depth = load(state, first + BLUE), load(state, first + DEPTH)
    while painters != 0:
        i = trailing_zeros(painters)
        painters &= painters - np.uint64(1)
        weight = load(weights, COUNT * i)
        red = red + weight * spread_at(columns, sc.RED + i)
        green = green + weight * spread_at(columns, sc.GREEN + i)
        blue = blue + weight * spread_at(columns, sc.BLUE + i)
        depth = depth + weight * spread_at(columns, sc.DEPTH + i)
    store(state, first + RED, red)
    store(state, first + GREEN, green)
    store(state, first + BLUE, blue)
    store(state, first + DEPTH, depth)


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
):
    """Draw all tiles: `rgb (h, w, 3)` over `background (3,)`, `transmittance (h, w)`, `depth (h,
    w)` = sum of w z.

    Tiles have `size` pixels along a side, 32 or a smaller multiple of 4, and lie in rows of
    `columns`. `most` is the largest alpha of one splat. `painted (p,)` uint64 receives, for each
    place of the tile lists, the patches in which the splat paints: all that the backward visits.
    """
    height, width = transmittance.shape
    table = coefficients(program)[:1]
    for tile in prange(len(tile_start) - 1):
        tile_x, tile_y = (tile % columns) * size, (tile // columns) * size
        state, centres = scratch(sc.PATCHES * STATE), pixel_centres()
        alphas = scratch(sc.BATCH * COUNT)
        batch, words = scratch(sc.SIZE), np.zeros(sc.PATCHES, np.uint64)
        open_patches = _open_patches(
            state, centres, min(size, width - tile_x), min(size, height - tile_y)
        )
        end = tile_start[tile + 1]
        for begin in range(tile_start[tile], end, sc.BATCH):
            count = min(sc.BATCH, end - begin)
            painted[begin : begin + count] = 0
            if open_patches == 0:
                continue
            sc.fetch(records, splat_of, begin, count, tile_x, tile_y, table, batch)
            sc.reach(batch, count, words)
            for patch in range(sc.PATCHES):
                word = words[patch]
                if open_patches & sc.bit(patch) and word != 0:
                    _shade(program, most, batch, word, centres, patch, alphas)
                    painters, still_open = _weigh(word, alphas, state, patch, begin, painted)
                    _add(batch, painters, alphas, state, patch)
                    if not still_open:
                        open_patches &= ~sc.bit(patch)
        _write(state, background, rgb, transmittance, depth, tile_x, tile_y, size)
