"""What a patch's splats do to it and get from it: the loops for many registers and for few agree,
whatever the machine, and a pixel ends before the splat that would finish it."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from simd.lanes import COUNT
from splatting import kernels
from splatting.cpu import blending, blending_backward
from splatting.cpu import screen as s
from splatting.cpu import splat_columns as sc
from splatting.cpu.falloff import coefficients

f32 = np.float32
MOST = f32(0.99)
COLOURS = (sc.RED, sc.GREEN, sc.BLUE, sc.DEPTH)


@njit
def blended(at_once, program, columns, word, patch, state):
    room, centres = np.zeros(sc.BATCH * COUNT, f32), blending.pixel_centres()
    if at_once:
        return blending.blend_at_once(program, MOST, columns, word, centres, patch, state, room)
    return blending.blend_in_turn(program, MOST, columns, word, centres, patch, state, room)


@njit
def blended_backward(at_once, program, deep, columns, i, patches, state, sums):
    room = np.zeros(sc.PATCHES * blending_backward.PAIR, f32)
    if at_once:
        blending_backward.blend_backward_at_once(
            program, MOST, deep, columns, i, patches, state, room, sums, 0
        )
    else:
        blending_backward.blend_backward_in_turn(
            program, MOST, deep, columns, i, patches, state, room, sums, 0
        )


def tile_of(kernel: str, opacity: float) -> tuple[tuple, np.ndarray]:
    """A kernel's program and 64 splats in one tile, as `splat_columns.fetch` makes them."""
    rng = np.random.default_rng(5)
    chosen = kernels.get(kernel)
    columns = np.zeros(sc.SIZE, f32)

    def put(place: int, values: np.ndarray) -> None:
        columns[place : place + sc.BATCH] = values

    put(sc.X, rng.uniform(0, 32, sc.BATCH))
    put(sc.Y, rng.uniform(0, 32, sc.BATCH))
    put(sc.A, rng.uniform(0.01, 0.1, sc.BATCH))
    put(sc.C, rng.uniform(0.01, 0.1, sc.BATCH))
    put(sc.B, rng.uniform(-0.009, 0.009, sc.BATCH))
    put(sc.TWO_B, 2 * columns[sc.B : sc.B + sc.BATCH])
    put(sc.Q_CUT, np.full(sc.BATCH, chosen.support**2))
    for place in COLOURS:
        put(place, rng.uniform(0.1, 1, sc.BATCH))
    table = njit(lambda program: coefficients(program))(chosen.program)
    for k in range(table.shape[1]):
        put(sc.PAINT + k * sc.BATCH, np.full(sc.BATCH, opacity * table[0, k]))
        put(sc.SLOPE + k * sc.BATCH, np.full(sc.BATCH, opacity * table[1, k]))
    return chosen.program, columns


def blank() -> np.ndarray:
    state = np.zeros((sc.PATCHES, blending.STATE), f32)
    state[:, : 2 * COUNT] = 1
    return state


@pytest.mark.parametrize("kernel", ["raised-cosine", "gaussian", "modular-sinc"])
@pytest.mark.parametrize("count", [1, 2, 17, 64])
def test_both_ways_paint_alike(kernel: str, count: int) -> None:
    program, columns = tile_of(kernel, 0.8)
    word = np.uint64(2**count - 1)
    for patch in (0, 27, 63):
        states = blank(), blank()
        found = [
            blended(way, program, columns, word, patch, state.reshape(-1))
            for way, state in zip((True, False), states, strict=True)
        ]
        assert found[0] == found[1]
        np.testing.assert_allclose(states[0], states[1], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("at_once", [True, False])
def test_weights_by_hand_and_the_stop(at_once: bool) -> None:
    """Three splats of alpha 0.98 everywhere: T is 0.02, then 0.0004, and the third would take it
    below 1e-4, so it is not let in."""
    program, columns = tile_of("raised-cosine", 0.98)
    for place in (sc.A, sc.C, sc.TWO_B):
        columns[place : place + sc.BATCH] = 0
    state = blank()
    painters, still_open = blended(at_once, program, columns, np.uint64(7), 5, state.reshape(-1))
    assert painters == 3 and not still_open
    red = columns[sc.RED : sc.RED + 2] @ [0.98, 0.02 * 0.98]
    np.testing.assert_allclose(state[5, blending.RED : blending.RED + COUNT], red, rtol=1e-3)
    through = state[5, blending.TRANSMITTANCE : blending.TRANSMITTANCE + COUNT]
    np.testing.assert_allclose(through, 4e-4, rtol=5e-3)
    untouched = np.delete(state, 5, axis=0)
    np.testing.assert_array_equal(untouched, np.delete(blank(), 5, axis=0))


def slopes_at_pixels() -> np.ndarray:
    """The state of a tile's patches before the first splat, with random slopes."""
    rng = np.random.default_rng(6)
    first = rng.normal(size=(sc.PATCHES, blending_backward.STATE)).astype(f32)
    pixels = np.arange(COUNT)
    for patch in range(sc.PATCHES):
        left, top = blending.corner.py_func(patch)
        first[patch, blending_backward.X :][:COUNT] = left + pixels % 4 + 0.5
        first[patch, blending_backward.Y :][:COUNT] = top + pixels // 4 + 0.5
    first[:, blending_backward.PRODUCT :][:, :COUNT] = rng.uniform(0, 1, (sc.PATCHES, COUNT))
    return first


@pytest.mark.parametrize("kernel", ["raised-cosine", "gaussian", "modular-sinc"])
def test_both_ways_get_the_same_gradients(kernel: str) -> None:
    program, columns = tile_of(kernel, 0.8)
    first = slopes_at_pixels()
    for patches in (1, 2**63, 2**64 - 1):
        states, sums = (first.copy(), first.copy()), np.zeros((2, s.GRAD_WIDTH), f32)
        for way in range(2):
            flat = states[way].reshape(-1)
            blended_backward(
                way == 0, program, True, columns, 9, np.uint64(patches), flat, sums[way]
            )
        np.testing.assert_allclose(states[0], states[1], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(sums[0], sums[1], rtol=1e-4, atol=1e-5 * np.abs(sums).max())


@pytest.mark.parametrize("at_once", [True, False])
def test_without_depth_gradients_are_those_of_a_depth_that_nobody_asks_for(at_once: bool) -> None:
    program, columns = tile_of("raised-cosine", 0.8)
    asked = slopes_at_pixels()
    asked[:, blending_backward.DEPTH :][:, :COUNT] = 0
    never = asked.copy()
    never[:, blending_backward.DEPTH :][:, :COUNT] = np.nan
    sums = np.zeros((2, s.GRAD_WIDTH), f32)
    patches = np.uint64(2**64 - 1)
    for row, (deep, state) in enumerate(((True, asked), (None, never))):
        blended_backward(at_once, program, deep, columns, 9, patches, state.reshape(-1), sums[row])
    depth = 9
    np.testing.assert_allclose(np.delete(sums[1], depth), np.delete(sums[0], depth), rtol=1e-6)
    assert sums[0].any() and sums[1, depth] == 0
