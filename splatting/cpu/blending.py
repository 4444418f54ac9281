"""The splats that reach a patch of 4x4 pixels, in order of depth: their alphas, weights and sums.

Where registers hold thirty-two vectors (see `simd.registers`) a splat passes by once. Elsewhere the
splats pass by three times: for their alphas, for their weights, and for the sums. Each of these
keeps what it needs in the sixteen registers of AVX2; one loop for all of it does not.

A pixel ends BEFORE the splat that would take its transmittance below 1e-4. There is no branch and
no flag for that: the product of all 1 - alpha goes on falling behind that splat, so one comparison
says whether a pixel is still open. From splat to splat only that product is waited for. The loops
have one way out: for a second one numba counts references of arrays whenever a patch is entered.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from simd.lane_memory import load, scratch, spread_at, store
from simd.lanes import COUNT, absolute, bits, minimum, trailing_zeros, where
from simd.registers import ROOMY
from splatting.cpu import splat_columns as sc
from splatting.cpu.falloff import paint
from splatting.cpu.patches import PATCH

f32 = np.float32

STOP = f32(1e-4)
"""Transmittance at which a pixel is finished."""

PIXEL_X, PIXEL_Y = 0, COUNT
"""Pixel centres of a patch within it."""
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


@njit(inline="always")
def distance(columns, i, x, y):
    """q of splat `i` at a patch's pixels."""
    dx = x - spread_at(columns, sc.X + i)
    dy = y - spread_at(columns, sc.Y + i)
    q = dx * spread_at(columns, sc.A + i) + dy * spread_at(columns, sc.TWO_B + i)
    return q * dx + dy * dy * spread_at(columns, sc.C + i)


@njit(inline="always")
def _alpha(program, most, columns, i, q):
    """The alpha of splat `i` at those pixels, zero beyond its edge, and which lie within that."""
    alpha = minimum(paint(program, columns, sc.PAINT + i, sc.BATCH, q), most)
    reached = q <= spread_at(columns, sc.Q_CUT + i)
    return where(reached, alpha, f32(0)), reached


@njit(error_model="numpy", nogil=True, cache=True)
def blend_at_once(program, most, columns, word, centres, patch, state, alphas):
    """Add what the splats of `word` contribute to the `state` of one patch; those that paint, as
    bits, and whether any pixel of the patch is still open. `alphas` is room for 64 vectors,
    which the other way needs."""
    left, top = corner(patch)
    x = load(centres, PIXEL_X) + f32(left)
    y = load(centres, PIXEL_Y) + f32(top)
    first = patch * STATE
    product, through = load(state, first + PRODUCT), load(state, first + TRANSMITTANCE)
    red, green = load(state, first + RED), load(state, first + GREEN)
    blue, depth = load(state, first + BLUE), load(state, first + DEPTH)
    painters, still_open = np.uint64(0), True
    while word != 0:
        i = trailing_zeros(word)
        word &= word - np.uint64(1)
        alpha, reached = _alpha(program, most, columns, i, distance(columns, i, x, y))
        weight = alpha * product
        product = product * (f32(1) - alpha)
        goes_on = product >= STOP
        through = where(goes_on, product, through)
        weight = where(goes_on, weight, f32(0))
        red = red + weight * spread_at(columns, sc.RED + i)
        green = green + weight * spread_at(columns, sc.GREEN + i)
        blue = blue + weight * spread_at(columns, sc.BLUE + i)
        depth = depth + weight * spread_at(columns, sc.DEPTH + i)
        # no branch: whether a splat at the patch's edge paints cannot be foreseen
        painters |= np.uint64(bits(reached & goes_on) != 0) << np.uint64(i)
        if bits(goes_on) == 0:
            word, still_open = np.uint64(0), False
    store(state, first + PRODUCT, product)
    store(state, first + TRANSMITTANCE, through)
    store(state, first + RED, red)
    store(state, first + GREEN, green)
    store(state, first + BLUE, blue)
    store(state, first + DEPTH, depth)
    return painters, still_open


@njit(inline="always")
def blend_in_turn(program, most, columns, word, centres, patch, state, alphas):
    """The same in three loops."""
    _shade(program, most, columns, word, centres, patch, alphas)
    painters, still_open = _weigh(word, alphas, state, patch)
    _add(columns, painters, alphas, state, patch)
    return painters, still_open


blend = blend_at_once if ROOMY else blend_in_turn


@njit(error_model="numpy", nogil=True, cache=True)
def _shade(program, most, columns, word, centres, patch, alphas):
    """The alpha of each splat of `word` at the pixels of one patch."""
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
        q_i = distance(columns, i, x, y)
        q_j = distance(columns, j, x, y)
        alpha_i, _ = _alpha(program, most, columns, i, q_i)
        alpha_j, _ = _alpha(program, most, columns, j, q_j)
        store(alphas, COUNT * i, alpha_i)
        store(alphas, COUNT * j, alpha_j)


@njit(error_model="numpy", nogil=True, cache=True)
def _weigh(word, alphas, state, patch):
    """Turn the alphas of the splats of `word` into weights; those that paint, as bits, and whether
    any pixel of the patch is still open."""
    first = patch * STATE
    product, through = load(state, first + PRODUCT), load(state, first + TRANSMITTANCE)
    painters, still_open = np.uint64(0), True
    while word != 0:
        i = trailing_zeros(word)
        word &= word - np.uint64(1)
        alpha = load(alphas, COUNT * i)
        weight = alpha * product
        product = product * (f32(1) - alpha)
        goes_on = product >= STOP
        through = where(goes_on, product, through)
        weight = where(goes_on, weight, f32(0))
        store(alphas, COUNT * i, weight)
        painters |= np.uint64(bits(absolute(weight) > f32(0)) != 0) << np.uint64(i)
        if bits(goes_on) == 0:
            word, still_open = np.uint64(0), False
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
