"""The backward of compositing, in the same order and with the same stops as the forward.

Position and conic of a splat get their gradients from five moments of dL/dq about its centre; the
polynomial of the kernel gives value and slope at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from splatting.cpu import screen as s
from splatting.cpu.compositing import (
    AREA,
    BLUE,
    DEPTH,
    GREEN,
    PIXEL_X,
    PIXEL_Y,
    RED,
    STOP,
    TRANSMITTANCE,
    span,
)
from splatting.cpu.falloff import falloff_and_slope
from splatting.cpu.threads import guarded

f32 = np.float32

REMAINING = 7 * AREA


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def _blend_backward(
    buffer, start, count, program, most, x, y, a, b, c, o, q_cut, red, green, blue, depth
):
    """Gradients that one splat receives from `count` pixels, walking front to back as the forward
    did.

    RED .. DEPTH hold dL/d(output); REMAINING holds what the splats not yet visited (and the
    background) still contribute to sum(output * dL/d(output)), so no second pass is needed.
    """
    v = buffer[start:]
    g_xx = f32(0)
    g_xy = f32(0)
    g_yy = f32(0)
    g_x = f32(0)
    g_y = f32(0)
    g_o = f32(0)
    g_red = f32(0)
    g_green = f32(0)
    g_blue = f32(0)
    g_depth = f32(0)
    abs_x = f32(0)
    abs_y = f32(0)
    for p in range(count):
        dx = v[p + PIXEL_X] - x
        dy = v[p + PIXEL_Y] - y
        along_x = a * dx + b * dy
        along_y = b * dx + c * dy
        q = along_x * dx + along_y * dy
        value, slope = falloff_and_slope(program, q)
        free = o * value
        alpha = min(free, most)
        alpha = alpha if q <= q_cut else f32(0)
        t = v[p + TRANSMITTANCE]
        weight = alpha * t
        goes_on = t - weight >= STOP
        weight = weight if goes_on else f32(0)
        v[p + TRANSMITTANCE] = t - weight if goes_on else -abs(t)
        d_red, d_green, d_blue = v[p + RED], v[p + GREEN], v[p + BLUE]
        d_depth = v[p + DEPTH]
        d_weight = red * d_red + green * d_green + blue * d_blue + depth * d_depth
        remaining = v[p + REMAINING] - weight * d_weight
        v[p + REMAINING] = remaining
        g_red += weight * d_red
        g_green += weight * d_green
        g_blue += weight * d_blue
        g_depth += weight * d_depth
        d_alpha = t * d_weight - remaining / (f32(1) - alpha)
        d_alpha = d_alpha if weight > f32(0) else f32(0)
        d_alpha = d_alpha if free < most else f32(0)
        g_o += d_alpha * value
        d_q = d_alpha * o * slope
        # moments of d_q about the splat's centre: position and conic both follow from them
        moment_x = d_q * dx
        moment_y = d_q * dy
        g_xx += moment_x * dx
        g_xy += moment_x * dy
        g_yy += moment_y * dy
        g_x += moment_x
        g_y += moment_y
        abs_x += abs(d_q) * abs(along_x)
        abs_y += abs(d_q) * abs(along_y)
    return (
        f32(-2) * (a * g_x + b * g_y),
        f32(-2) * (b * g_x + c * g_y),
        g_xx,
        f32(2) * g_xy,
        g_yy,
        g_o,
        g_red,
        g_green,
        g_blue,
        g_depth,
        f32(2) * abs_x,
        f32(2) * abs_y,
    )


@guarded
@njit(parallel=True, fastmath=True, error_model="numpy", nogil=True, cache=True)
def composite_backward(
    records,
    program,
    most,
    tile_start,
    splat_of,
    pair_of,
    columns,
    background,
    rgb,
    transmittance,
    depth,
    ends,
    d_rgb,
    d_alpha,
    d_depth,
    pair_gradients,
):
    """One row of `pair_gradients (p, 12)` for each (tile, splat) pair, from the gradients of the
    outputs.

    `d_rgb (h, w, 3)`, `d_alpha (h, w)` and `d_depth (h, w)` are dL/d(output). No two tiles write
    the same row, so nothing is locked and the sum over tiles can be taken in a fixed order
    afterwards.
    """
    height, width = transmittance.shape
    for tile in prange(len(ends)):
        tile_x, tile_y = (tile % columns) * s.TILE, (tile // columns) * s.TILE
        buffer = np.zeros(8 * AREA, np.float32)
        for p in range(AREA):
            buffer[p + PIXEL_X] = f32(p % s.TILE) + f32(0.5)
            buffer[p + PIXEL_Y] = f32(p // s.TILE) + f32(0.5)
            buffer[p + TRANSMITTANCE] = f32(-1)
            px, py = tile_x + p % s.TILE, tile_y + p // s.TILE
            if px < width and py < height:
                buffer[p + TRANSMITTANCE] = f32(1)
                red, green, blue = d_rgb[py, px, 0], d_rgb[py, px, 1], d_rgb[py, px, 2]
                buffer[p + RED] = red
                buffer[p + GREEN] = green
                buffer[p + BLUE] = blue
                buffer[p + DEPTH] = d_depth[py, px]
                # rgb holds the background's share; alpha = 1 - T adds -dL/dalpha for each unit of T
                buffer[p + REMAINING] = (
                    rgb[py, px, 0] * red
                    + rgb[py, px, 1] * green
                    + rgb[py, px, 2] * blue
                    + depth[py, px] * d_depth[py, px]
                    - transmittance[py, px] * d_alpha[py, px]
                )
        for place in range(tile_start[tile], ends[tile]):
            record = records[splat_of[place]]
            x, y, first, last = span(record, tile_x, tile_y)
            row = pair_gradients[pair_of[place]]
            (
                row[s.GRAD_X],
                row[s.GRAD_Y],
                row[s.GRAD_A],
                row[s.GRAD_B],
                row[s.GRAD_C],
                row[s.GRAD_OPACITY],
                row[s.GRAD_RED],
                row[s.GRAD_GREEN],
                row[s.GRAD_BLUE],
                row[s.GRAD_DEPTH],
                row[s.GRAD_ABS_X],
                row[s.GRAD_ABS_Y],
            ) = _blend_backward(
                buffer,
                first * s.TILE,
                (last - first) * s.TILE,
                program,
                most,
                x,
                y,
                record[s.CONIC_A],
                record[s.CONIC_B],
                record[s.CONIC_C],
                record[s.OPACITY],
                record[s.Q_CUT],
                record[s.RED],
                record[s.GREEN],
                record[s.BLUE],
                record[s.DEPTH],
            )
        for place in range(ends[tile], tile_start[tile + 1]):
            pair_gradients[pair_of[place], :] = f32(0)
