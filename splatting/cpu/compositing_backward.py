"""The backward of compositing, in the same order and with the same stops as the forward.

Splat by splat, because each sums its gradients over all patches that it paints. It visits them four
times, so that what each visit needs and sums stays in the registers of AVX2, and chains of sums are
short enough for the machine to work on several patches at once. Position and conic get their
gradients from five moments of dL/dq about the centre (see `moments_to_gradients`).
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from simd.lane_memory import (
    load,
    scratch,
    spread_at,
    store,
    store_sums,
)
from simd.lanes import COUNT, absolute, minimum, spread, trailing_zeros, where
from simd.threads import guarded
from splatting.cpu import screen as s
from splatting.cpu import splat_columns as sc
from splatting.cpu.compositing import (
    PIXEL_X,
    PIXEL_Y,
    STOP,
    corner,
    pixel_centres,
)
from splatting.cpu.falloff import coefficients, paint_and_slope
from splatting.cpu.patches import PATCH, load_rows, load_rows_rgb

f32 = np.float32

X, Y, PRODUCT, REMAINING, RED, GREEN, BLUE, DEPTH = (COUNT * k for k in range(8))
STATE = 8 * COUNT
"""Numbers of one patch: pixel centres, the product of all 1 - alpha, what the splats not yet
visited (and the background) still contribute to sum(output * dL/d(output)), so that no second pass
is needed, and dL/d(output)."""
FREE, SLOPE, ALONG_X, ALONG_Y = (COUNT * k for k in range(4))
WEIGHT, D_Q = FREE, SLOPE
PAIR = 4 * COUNT
"""Numbers of one patch that a splat keeps from visit to visit."""


@njit(error_model="numpy", nogil=True, cache=True)
def _blend_backward(program, most, columns, i, patches, state, pairs, sums, row):
    """Gradients that splat `i` receives from the pixels of `patches`, into `sums[row], ...`."""
    _shade(program, most, columns, i, patches, state, pairs)
    g_o, abs_x, abs_y = _weigh(most, columns, i, patches, state, pairs)
    g_red, g_green, g_blue, g_depth = _sum_outputs(patches, state, pairs)
    g_x, g_y, g_xx, g_xy, g_yy = _sum_moments(columns, i, patches, state, pairs)
    totals = (g_x, g_y, g_xx, g_xy, g_yy, g_o, g_red, g_green, g_blue, g_depth, abs_x, abs_y)
    store_sums(sums, row, totals)


@njit(error_model="numpy", nogil=True, cache=True)
def _shade(program, most, columns, i, patches, state, pairs):
    """o f and o df/dq of splat `i` at each pixel, zero where they have no say, and half of dq/dx
    and dq/dy."""
    place = 0
    while patches != 0:
        first = trailing_zeros(patches) * STATE
        patches &= patches - np.uint64(1)
        dx = load(state, first + X) - spread_at(columns, sc.X + i)
        dy = load(state, first + Y) - spread_at(columns, sc.Y + i)
        along_x = dx * spread_at(columns, sc.A + i) + dy * spread_at(columns, sc.B + i)
        along_y = dx * spread_at(columns, sc.B + i) + dy * spread_at(columns, sc.C + i)
        q = along_x * dx + along_y * dy
        free, slope = paint_and_slope(program, columns, sc.PAINT + i, sc.SLOPE + i, sc.BATCH, q)
        reached = q <= spread_at(columns, sc.Q_CUT + i)
        store(pairs, place + FREE, where(reached, free, f32(0)))
        store(pairs, place + SLOPE, where(reached & (free < most), slope, f32(0)))
        store(pairs, place + ALONG_X, along_x)
        store(pairs, place + ALONG_Y, along_y)
        place += PAIR


@njit(error_model="numpy", nogil=True, cache=True)
def _weigh(most, columns, i, patches, state, pairs):
    """Weights and dL/dq in place of o f and its slope; sums of dL/d(log o), |dL/dx| and |dL/dy|."""
    g_o, abs_x, abs_y = spread(f32(0)), spread(f32(0)), spread(f32(0))
    place = 0
    while patches != 0:
        first = trailing_zeros(patches) * STATE
        patches &= patches - np.uint64(1)
        free = load(pairs, place + FREE)
        alpha = minimum(free, most)
        product = load(state, first + PRODUCT)
        weight = alpha * product
        after = product - weight
        store(state, first + PRODUCT, after)
        d_weight = load(state, first + RED) * spread_at(columns, sc.RED + i)
        d_weight = d_weight + load(state, first + GREEN) * spread_at(columns, sc.GREEN + i)
        d_weight = d_weight + load(state, first + BLUE) * spread_at(columns, sc.BLUE + i)
        d_weight = d_weight + load(state, first + DEPTH) * spread_at(columns, sc.DEPTH + i)
        # wrong in a pixel that this splat finishes, but nobody asks that one again
        remaining = load(state, first + REMAINING) - weight * d_weight
        store(state, first + REMAINING, remaining)
        still_open = after >= STOP
        store(pairs, place + WEIGHT, where(still_open, weight, f32(0)))
        d_alpha = product * d_weight - remaining * (f32(1) / (f32(1) - alpha))
        d_alpha = where(still_open & (free < most), d_alpha, f32(0))
        g_o = g_o + d_alpha * free
        d_q = d_alpha * load(pairs, place + SLOPE)
        store(pairs, place + D_Q, d_q)
        abs_x = abs_x + absolute(d_q * load(pairs, place + ALONG_X))
        abs_y = abs_y + absolute(d_q * load(pairs, place + ALONG_Y))
        place += PAIR
    return g_o, abs_x, abs_y


@njit(error_model="numpy", nogil=True, cache=True)
def _sum_outputs(patches, state, pairs):
    """Sums of weight dL/d(red, green, blue, depth)."""
    g_red, g_green = spread(f32(0)), spread(f32(0))
    g_blue, g_depth = spread(f32(0)), spread(f32(0))
    place = 0
    while patches != 0:
        first = trailing_zeros(patches) * STATE
        patches &= patches - np.uint64(1)
        weight = load(pairs, place + WEIGHT)
        g_red = g_red + weight * load(state, first + RED)
        g_green = g_green + weight * load(state, first + GREEN)
        g_blue = g_blue + weight * load(state, first + BLUE)
        g_depth = g_depth + weight * load(state, first + DEPTH)
        place += PAIR
    return g_red, g_green, g_blue, g_depth


@njit(error_model="numpy", nogil=True, cache=True)
def _sum_moments(columns, i, patches, state, pairs):
    """Moments of dL/dq about the centre of splat `i`: position and conic both follow from them."""
    g_xx, g_xy, g_yy = spread(f32(0)), spread(f32(0)), spread(f32(0))
    g_x, g_y = spread(f32(0)), spread(f32(0))
    place = 0
    while patches != 0:
        first = trailing_zeros(patches) * STATE
        patches &= patches - np.uint64(1)
        dx = load(state, first + X) - spread_at(columns, sc.X + i)
        dy = load(state, first + Y) - spread_at(columns, sc.Y + i)
        d_q = load(pairs, place + D_Q)
        moment_x, moment_y = d_q * dx, d_q * dy
        g_xx = g_xx + moment_x * dx
        g_xy = g_xy + moment_x * dy
        g_yy = g_yy + moment_y * dy
        g_x = g_x + moment_x
        g_y = g_y + moment_y
        place += PAIR
    return g_x, g_y, g_xx, g_xy, g_yy


@njit(error_model="numpy", nogil=True, cache=True)
def moments_to_gradients(g, record):
    """Turn the sums of a splat's pairs `g (12,)` into gradients of its record, in place.

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
            by_depth = load_rows(d_depth.reshape(flat), place, width)
            # rgb holds the background's share; alpha = 1 - T adds -dL/dalpha for each unit of T
            remaining = r * red + g * green + b * blue
            remaining = remaining + load_rows(depth.reshape(flat), place, width) * by_depth
            remaining = remaining - load_rows(
                transmittance.reshape(flat), place, width
            ) * load_rows(d_alpha.reshape(flat), place, width)
            store(state, first + PRODUCT, spread(f32(1)))
            store(state, first + REMAINING, remaining)
            store(state, first + RED, red)
            store(state, first + GREEN, green)
            store(state, first + BLUE, blue)
            store(state, first + DEPTH, by_depth)
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
                state[first + DEPTH + k] = d_depth[y, x]
                state[first + REMAINING + k] += depth[y, x] * d_depth[y, x]
                state[first + REMAINING + k] -= transmittance[y, x] * d_alpha[y, x]


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
):
    """One row of `pair_gradients (p, 12)` for each (tile, splat) pair, from the gradients of the
    outputs; the rows of a splat, summed, become gradients in `moments_to_gradients`.

    `d_rgb (h, w, 3)`, `d_alpha (h, w)` and `d_depth (h, w)` are dL/d(output); all images lie in
    one piece. No two tiles write the same row, so nothing is locked and the sum over tiles can be
    taken in a fixed order afterwards.
    """
    table = coefficients(program)
    flat = pair_gradients.reshape(pair_gradients.size)
    for tile in prange(len(tile_start) - 1):
        tile_x, tile_y = (tile % columns) * size, (tile // columns) * size
        state, centres, batch = scratch(sc.PATCHES * STATE), pixel_centres(), scratch(sc.SIZE)
        pairs = scratch(sc.PATCHES * PAIR)
        _read(state, centres, tile_x, tile_y, rgb, transmittance, depth, d_rgb, d_alpha, d_depth)
        end = tile_start[tile + 1]
        for begin in range(tile_start[tile], end, sc.BATCH):
            count = min(sc.BATCH, end - begin)
            if not painted[begin : begin + count].any():
                for i in range(begin, begin + count):
                    pair_gradients[pair_of[i], :] = f32(0)
                continue
            sc.fetch(records, splat_of, begin, count, tile_x, tile_y, table, batch)
            for i in range(count):
                patches = painted[begin + i]
                row = pair_of[begin + i] * s.GRAD_WIDTH
                _blend_backward(program, most, batch, i, patches, state, pairs, flat, row)
