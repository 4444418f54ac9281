"""What one splat receives from the pixels of a tile: the same weights and stops as in
`splatting.cpu.blending`, and gradients summed over the patches that it paints.

Where registers hold thirty-two vectors (see `simd.registers`) a splat visits its patches once.
Elsewhere it visits them four times, so that what each visit needs and sums stays in the sixteen
registers of AVX2, and chains of sums are short enough for the machine to work on several patches at
once. Position and conic get their gradients from five moments of dL/dq about the centre (see
`moments_to_gradients`). `deep` is None where nothing asks for depth, as without tracks of sparse
points: then it costs nothing, because loops are compiled for either.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.extending import overload

from simd.lane_memory import load, spread_at, store, store_sums
from simd.lanes import COUNT, absolute, minimum, spread, trailing_zeros, where
from simd.registers import ROOMY
from splatting.cpu import splat_columns as sc
from splatting.cpu.blending import STOP
from splatting.cpu.falloff import paint_and_slope

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


def by_depth(deep, state, place):
    """dL/d(depth) of a patch, or None."""
    return None if deep is None else load(state, place)


def plus_product(total, factor, other):
    """`total + factor * other`, or `total` where `other` is None."""
    if other is None:
        return total
    more = total + factor * other
    return more


@overload(by_depth, inline="always")
def _by_depth(deep, state, place):
    if isinstance(deep, types.NoneType):
        return lambda deep, state, place: None
    return lambda deep, state, place: load(state, place)


@overload(plus_product, inline="always")
def _plus_product(total, factor, other):
    if isinstance(other, types.NoneType):
        return lambda total, factor, other: total
    return lambda total, factor, other: total + factor * other


@njit(inline="always")
def _offset(columns, i, state, first):
    """From the centre of splat `i` to the pixels of the patch whose state begins at `first`."""
    dx = load(state, first + X) - spread_at(columns, sc.X + i)
    dy = load(state, first + Y) - spread_at(columns, sc.Y + i)
    return dx, dy


@njit(inline="always")
def _shaded(program, most, columns, i, dx, dy):
    """o f and o df/dq there, zero where they have no say, and half of dq/dx and dq/dy."""
    along_x = dx * spread_at(columns, sc.A + i) + dy * spread_at(columns, sc.B + i)
    along_y = dx * spread_at(columns, sc.B + i) + dy * spread_at(columns, sc.C + i)
    q = along_x * dx + along_y * dy
    free, slope = paint_and_slope(program, columns, sc.PAINT + i, sc.SLOPE + i, sc.BATCH, q)
    reached = q <= spread_at(columns, sc.Q_CUT + i)
    slope = where(reached & (free < most), slope, f32(0))
    return where(reached, free, f32(0)), slope, along_x, along_y


@njit(inline="always")
def _outputs(deep, state, first):
    """dL/d(red, green, blue, depth) there."""
    red, green = load(state, first + RED), load(state, first + GREEN)
    return red, green, load(state, first + BLUE), by_depth(deep, state, first + DEPTH)


@njit(inline="always")
def _weighed(most, columns, i, state, first, free, red, green, blue, depth):
    """The weight there and dL/d(alpha); the patch's state goes on behind the splat."""
    alpha = minimum(free, most)
    product = load(state, first + PRODUCT)
    weight = alpha * product
    others = f32(1) - alpha
    after = product * others
    store(state, first + PRODUCT, after)
    d_weight = red * spread_at(columns, sc.RED + i)
    d_weight = d_weight + green * spread_at(columns, sc.GREEN + i)
    d_weight = d_weight + blue * spread_at(columns, sc.BLUE + i)
    d_weight = plus_product(d_weight, spread_at(columns, sc.DEPTH + i), depth)
    # wrong in a pixel that this splat finishes, but nobody asks that one again
    remaining = load(state, first + REMAINING) - weight * d_weight
    store(state, first + REMAINING, remaining)
    still_open = after >= STOP
    d_alpha = product * d_weight - remaining * (f32(1) / others)
    d_alpha = where(still_open & (free < most), d_alpha, f32(0))
    return where(still_open, weight, f32(0)), d_alpha


@njit(error_model="numpy", nogil=True, cache=True)
def blend_backward_at_once(program, most, deep, columns, i, patches, state, pairs, sums, row):
    """Gradients that splat `i` receives from the pixels of `patches`, into `sums[row], ...`;
    `pairs` is room for PAIR numbers of each patch, which the other way needs."""
    g_x, g_y, g_xx, g_xy, g_yy = _no_sums()
    g_red, g_green, g_blue, g_depth, g_o = _no_sums()
    abs_x, abs_y = spread(f32(0)), spread(f32(0))
    while patches != 0:
        first = trailing_zeros(patches) * STATE
        patches &= patches - np.uint64(1)
        # what the state holds is read once: a compiler cannot know that stores leave it alone
        dx, dy = _offset(columns, i, state, first)
        red, green, blue, depth = _outputs(deep, state, first)
        free, slope, along_x, along_y = _shaded(program, most, columns, i, dx, dy)
        weight, d_alpha = _weighed(most, columns, i, state, first, free, red, green, blue, depth)
        d_q = d_alpha * slope
        g_o = g_o + d_alpha * free
        abs_x = abs_x + absolute(d_q * along_x)
        abs_y = abs_y + absolute(d_q * along_y)
        g_red = g_red + weight * red
        g_green = g_green + weight * green
        g_blue = g_blue + weight * blue
        g_depth = plus_product(g_depth, weight, depth)
        moment_x, moment_y = d_q * dx, d_q * dy
        g_xx = g_xx + moment_x * dx
        g_xy = g_xy + moment_x * dy
        g_yy = g_yy + moment_y * dy
        g_x = g_x + moment_x
        g_y = g_y + moment_y
    of_place = (g_x, g_y, g_xx, g_xy, g_yy, g_o)
    of_outputs = (g_red, g_green, g_blue, g_depth)
    store_sums(sums, row, (*of_place, *of_outputs, abs_x, abs_y, *_no_rest()))


@njit(error_model="numpy", nogil=True, cache=True)
def blend_backward_in_turn(program, most, deep, columns, i, patches, state, pairs, sums, row):
    """The same in four loops."""
    _shade(program, most, columns, i, patches, state, pairs)
    g_o, abs_x, abs_y = _weigh(most, deep, columns, i, patches, state, pairs)
    g_red, g_green, g_blue, g_depth = _sum_outputs(deep, patches, state, pairs)
    g_x, g_y, g_xx, g_xy, g_yy = _sum_moments(columns, i, patches, state, pairs)
    of_place = (g_x, g_y, g_xx, g_xy, g_yy, g_o)
    of_outputs = (g_red, g_green, g_blue, g_depth)
    store_sums(sums, row, (*of_place, *of_outputs, abs_x, abs_y, *_no_rest()))


blend_backward = blend_backward_at_once if ROOMY else blend_backward_in_turn


@njit(inline="always")
def _no_sums():
    zero = spread(f32(0))
    return zero, zero, zero, zero, zero


@njit(inline="always")
def _no_rest():
    """What fills a row of sums up to sixteen: one store writes it."""
    zero = spread(f32(0))
    return zero, zero, zero, zero


@njit(error_model="numpy", nogil=True, cache=True)
def _shade(program, most, columns, i, patches, state, pairs):
    """What `_shaded` finds at each pixel, into `pairs`."""
    place = 0
    while patches != 0:
        first = trailing_zeros(patches) * STATE
        patches &= patches - np.uint64(1)
        dx, dy = _offset(columns, i, state, first)
        free, slope, along_x, along_y = _shaded(program, most, columns, i, dx, dy)
        store(pairs, place + FREE, free)
        store(pairs, place + SLOPE, slope)
        store(pairs, place + ALONG_X, along_x)
        store(pairs, place + ALONG_Y, along_y)
        place += PAIR


@njit(error_model="numpy", nogil=True, cache=True)
def _weigh(most, deep, columns, i, patches, state, pairs):
    """Weights and dL/dq in place of o f and its slope; sums of dL/d(log o), |dL/dx| and |dL/dy|."""
    g_o, abs_x, abs_y = spread(f32(0)), spread(f32(0)), spread(f32(0))
    place = 0
    while patches != 0:
        first = trailing_zeros(patches) * STATE
        patches &= patches - np.uint64(1)
        free = load(pairs, place + FREE)
        red, green, blue, depth = _outputs(deep, state, first)
        weight, d_alpha = _weighed(most, columns, i, state, first, free, red, green, blue, depth)
        store(pairs, place + WEIGHT, weight)
        d_q = d_alpha * load(pairs, place + SLOPE)
        store(pairs, place + D_Q, d_q)
        g_o = g_o + d_alpha * free
        abs_x = abs_x + absolute(d_q * load(pairs, place + ALONG_X))
        abs_y = abs_y + absolute(d_q * load(pairs, place + ALONG_Y))
        place += PAIR
    return g_o, abs_x, abs_y


@njit(error_model="numpy", nogil=True, cache=True)
def _sum_outputs(deep, patches, state, pairs):
    """Sums of weight dL/d(red, green, blue, depth)."""
    g_red, g_green = spread(f32(0)), spread(f32(0))
    g_blue, g_depth = spread(f32(0)), spread(f32(0))
    place = 0
    while patches != 0:
        first = trailing_zeros(patches) * STATE
        patches &= patches - np.uint64(1)
        weight = load(pairs, place + WEIGHT)
        red, green, blue, depth = _outputs(deep, state, first)
        g_red = g_red + weight * red
        g_green = g_green + weight * green
        g_blue = g_blue + weight * blue
        g_depth = plus_product(g_depth, weight, depth)
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
        dx, dy = _offset(columns, i, state, first)
        d_q = load(pairs, place + D_Q)
        moment_x, moment_y = d_q * dx, d_q * dy
        g_xx = g_xx + moment_x * dx
        g_xy = g_xy + moment_x * dy
        g_yy = g_yy + moment_y * dy
        g_x = g_x + moment_x
        g_y = g_y + moment_y
        place += PAIR
    return g_x, g_y, g_xx, g_xy, g_yy
