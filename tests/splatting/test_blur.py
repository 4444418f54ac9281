"""The blurs for many registers and for few: both are the window of SSIM, whatever the machine."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from simd.lane_memory import store
from simd.lanes import COUNT
from splatting.cpu import blur

ROWS, WIDTH = 11, 37
COLUMNS = WIDTH * blur.CHANNELS


@pytest.fixture
def images() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    p, q = rng.random((2, ROWS, COLUMNS)).astype(np.float32)
    return p, q


@pytest.mark.parametrize("moments", [blur.moments_at_once, blur.moments_in_turn])
def test_moments_along_y(images, moments) -> None:
    p, q = images
    padded = np.pad(np.stack([p, q, p * p + q * q, p * q]), ((0, 0), (blur.RADIUS,) * 2, (0, 0)))
    wanted = sum(tap * padded[:, k : k + ROWS] for k, tap in enumerate(blur.TAPS))
    for y in range(0, ROWS, blur.ROWS):
        lines = np.zeros((4 * blur.ROWS, blur.padded(COLUMNS) + 2 * COUNT), np.float32)
        moments(p.ravel(), q.ravel(), y, ROWS, COLUMNS, blur.STAGGERED, lines)
        found = lines.reshape(4, blur.ROWS, -1)[:, :, COUNT : COUNT + COLUMNS]
        here = min(blur.ROWS, ROWS - y)
        np.testing.assert_allclose(found[:, :here], wanted[:, y : y + here], rtol=1e-5)
        assert not lines[:, :COUNT].any(), "what lies before a row stays zero"


@pytest.mark.parametrize("slopes", [blur.slopes_at_once, blur.slopes_in_turn])
@pytest.mark.parametrize("y", [0, 4, 16, 20])
def test_slopes_along_y_of_a_ring(slopes, y) -> None:
    rows = 22
    maps = np.random.default_rng(0).random((3, rows, COLUMNS)).astype(np.float32)
    wanted = sum(
        tap * np.pad(maps, ((0, 0), (blur.RADIUS,) * 2, (0, 0)))[:, k : k + rows]
        for k, tap in enumerate(blur.TAPS)
    )
    ring = np.full((3, blur.RING, blur.padded(COLUMNS)), np.nan, np.float32)
    for row in range(max(y - blur.RADIUS, 0), min(y + blur.ROWS + blur.RADIUS, rows)):
        ring[:, row % blur.RING] = 0
        ring[:, row % blur.RING, :COLUMNS] = maps[:, row]
    lines = np.zeros((3 * blur.ROWS, blur.padded(COLUMNS) + 2 * COUNT), np.float32)
    slopes(ring.reshape(3, -1), y, rows, COLUMNS, blur.STAGGERED, lines)
    found = lines.reshape(3, blur.ROWS, -1)[:, :, COUNT : COUNT + COLUMNS]
    here = min(blur.ROWS, rows - y)
    np.testing.assert_allclose(found[:, :here], wanted[:, y : y + here], rtol=1e-5)


@pytest.mark.parametrize("along_x", [blur.along_x_by_shuffles, blur.along_x_by_loads])
def test_along_x(images, along_x) -> None:
    @njit
    def blurred(line, out):
        for x in range(0, len(out), COUNT):
            store(out, x, along_x(line, x))

    row = images[0][3]
    line = np.zeros(blur.padded(COLUMNS) + 2 * COUNT, np.float32)
    line[COUNT : COUNT + COLUMNS] = row
    out = np.empty(blur.padded(COLUMNS), np.float32)
    blurred(line, out)
    pixels = np.pad(row.reshape(WIDTH, 3), ((blur.RADIUS,) * 2, (0, 0)))
    wanted = sum(tap * pixels[k : k + WIDTH] for k, tap in enumerate(blur.TAPS))
    np.testing.assert_allclose(out[:COLUMNS], wanted.ravel(), rtol=1e-5)
